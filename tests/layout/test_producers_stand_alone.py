import json
import subprocess
import sys

# What only the extras bring. (lz4 and cramjam are not here: fastavro takes them when they happen to be there.)
EXTRAS = {
    "aiohttp",
    "aiokafka",
    "aiosqlite",
    "alembic",
    "asyncpg",
    "cryptography",
    "faust",
    "pydantic",
    "rich",
    "sqlalchemy",
    "typer",
}


def test_an_upstream_application_needs_the_base_installation_only() -> None:
    code = (
        "import json, sys, hookline.producers, hookline.producers.demo, hookline.producers.ingest\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not EXTRAS & set(json.loads(answer.stdout))
