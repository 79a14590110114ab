"""What newcomers read is true: generated pages are fresh, links lead somewhere, commands and settings exist, examples run."""

import base64
import json
import re
import runpy
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.main import get_command

from fakes.documents import ROOT, blocks, documents, python_blocks
from fakes.endpoint import endpoint
from hookline.cli.app import app
from hookline.core.address import Reach
from hookline.core.asymmetric import public_key_text, sign, signing_key
from hookline.core.signing import signature_headers
from hookline.runtime.handshake import Agreed, Refusal, Refused, agreed
from hookline.runtime.outbound_session import open_session
from hookline.runtime.settings import MasterKey
from hookline.runtime.settings_table import table

BODY = '{"event":"user.created","data":{"username":"zoë"}}'.encode()
STANDARD = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PLAIN = "your-webhook-secret"
GUIDE = ROOT / "docs" / "guides" / "receiving.md"


@pytest.mark.parametrize("name", ["settings.md", "topics.md", "events.md", "metrics.md", "cli.md"])
def test_a_generated_page_says_what_the_code_says(name: str) -> None:
    page = ROOT / "docs" / "reference" / name
    wanted: str = runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]()[name]
    assert page.read_text(encoding="utf-8") == wanted, f"{name} is stale: python docs/generate.py"


@pytest.mark.parametrize("page", documents(), ids=str)
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        found = (ROOT / page).parent / path if path else ROOT / page
        assert found.exists(), target
        assert not heading or heading in headings(found), target


@pytest.mark.parametrize("page", documents(), ids=str)
def test_settings_and_metrics_that_are_named_exist(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"HOOKLINE_[A-Z_]+[A-Z]", text)) - {
        "HOOKLINE_TEST_BOOTSTRAP_SERVERS",
        "HOOKLINE_TEST_POSTGRES",
    }
    assert named <= {row.variable for row in table()}
    metrics = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    assert {each for each in re.findall(r"`(hookline_\w+)", text) if f"`{each}`" not in metrics} == set()


@pytest.mark.parametrize("page", documents(), ids=str)
def test_commands_that_are_shown_exist_with_their_options(page: Path) -> None:
    for words in shown_commands(page):
        command, rest = command_of(words)
        assert command is not None, words
        known = {"--help"} | {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
        assert {word for word in rest if word.startswith("--")} <= known, words


@pytest.mark.parametrize("page", documents(), ids=str)
def test_make_targets_that_are_named_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z]+)", text)) | set(re.findall(r"^make ([a-z]+)", text, re.MULTILINE))
    assert named <= set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))


def test_decisions_are_short_numbered_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = sorted(folder.glob("[0-9]*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for page in pages:
        lines = page.read_text(encoding="utf-8").splitlines()
        assert len(lines) < 40, page.name
        assert [line for line in lines if line.startswith("## ")] == ["## Context", "## Decision", "## Consequences"]
        assert lines[0].startswith(f"# {page.name[:4]}: ")
        assert f"({page.name})" in index


def test_the_glossary_is_in_order_and_says_each_word_once() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][1:]
    assert words == sorted(set(words), key=str.lower)


@pytest.mark.parametrize("page", documents(), ids=str)
def test_python_examples_compile(page: Path) -> None:
    for number, block in enumerate(python_blocks(page)):
        compile(block, f"{page}[{number}]", "exec")


@pytest.mark.parametrize("secret", [STANDARD, PLAIN])
def test_the_readmes_check_of_the_contracts_signature_works(secret: str) -> None:
    (check,) = checks(Path("README.md"))
    signature = headers_for(secret)["X-Webhook-Signature"]
    assert check(BODY, signature, secret)
    assert not check(BODY + b" ", signature, secret)
    assert not check(BODY, "é", secret)


@pytest.mark.parametrize(("number", "secret"), [(0, STANDARD), (1, STANDARD), (1, PLAIN), (2, STANDARD), (2, PLAIN)])
def test_the_guides_checks_for_receivers_work(number: int, secret: str) -> None:
    check = checks(GUIDE)[number]
    headers = headers_for(secret)
    assert check(BODY, headers, secret)
    assert not check(BODY + b" ", headers, secret)
    assert not check(BODY, {}, secret)
    assert not check(BODY, dict.fromkeys(headers, "x"), secret)


@pytest.mark.parametrize("number", [0, 1])
def test_the_guides_better_checks_refuse_an_old_request(number: int) -> None:
    assert not checks(GUIDE)[number](BODY, headers_for(STANDARD, age_s=600), STANDARD)


def test_the_guides_check_with_a_public_key_works() -> None:
    names: dict[str, Any] = {}
    (block,) = [each for each in python_blocks(GUIDE) if "def is_ours" in each]
    exec(block, names)  # noqa: S102 - our own documentation
    check, key, other = names["is_ours"], account_key("acct_1"), account_key("acct_2")
    headers, old = with_account_signature(headers_for(STANDARD), key), headers_for(STANDARD, age_s=600)
    known = [public_key_text(other), public_key_text(key)]
    assert check(BODY, headers, known)
    assert not check(BODY + b" ", headers, known)
    assert not check(BODY, headers, [public_key_text(other), "whpk_", "whpk_x", ""])
    assert not check(BODY, headers_for(STANDARD), known)
    assert not check(BODY, with_account_signature(old, key), known)
    assert not check(BODY, {}, known)
    assert not check(BODY, dict.fromkeys(headers, "v1a,x"), known)


async def test_the_guides_answer_to_the_question_gives_permission() -> None:
    names: dict[str, Any] = {}
    (block,) = [each for each in python_blocks(GUIDE) if "def answer_to_options" in each]
    exec(block, names)  # noqa: S102 - our own documentation

    async def step(request: web.Request) -> web.Response:
        status, headers = names["answer_to_options"](dict(request.headers))
        return web.Response(status=status, headers=headers)

    async with endpoint(step) as (url, _), open_session(reach=Reach(loopback=True), timeout_s=5) as session:
        assert await agreed(session, url, origin="hookline.example.com") == Agreed()
        refused = await agreed(session, url, origin="other.example.com")
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.STATUS


@pytest.mark.skipif(shutil.which("node") is None, reason="the example is for Node, which is not here")
@pytest.mark.parametrize(("change", "said"), [("", "true"), ("00", "false"), (None, "false")])
def test_the_guides_check_in_node_works_and_never_throws(change: str | None, said: str) -> None:
    (example,) = blocks(GUIDE, "javascript")
    signature = None if change is None else headers_for(PLAIN)["X-Webhook-Signature"] + change
    given = json.dumps([BODY.decode(), signature, PLAIN])
    call = f"const [b, s, k] = {given}; process.stdout.write(String(isAuthentic(Buffer.from(b), s, k)));"
    done = subprocess.run(["node", "-e", example + call], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == said


def headers_for(secret: str, *, age_s: int = 0) -> dict[str, str]:
    timestamp_s = int(time.time()) - age_s
    return signature_headers(secret=secret, delivery_id="delivery_1", timestamp_s=timestamp_s, body=BODY)


def account_key(account_id: str) -> Ed25519PrivateKey:
    return signing_key(MasterKey("a1", bytes(32)), account_id)


def with_account_signature(headers: dict[str, str], key: Ed25519PrivateKey) -> dict[str, str]:
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + BODY
    return {**headers, "webhook-signature": f"{headers['webhook-signature']} {sign(key, content)}"}


def checks(page: Path) -> list[Any]:
    """The functions `is_authentic` of a page, in order."""
    found = []
    for block in python_blocks(page):
        if "def is_authentic" in block:
            names: dict[str, Any] = {}
            exec(block, names)  # noqa: S102 - our own documentation
            found.append(names["is_authentic"])
    return found


def prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)


@cache
def headings(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as they are on the web."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles)


def shown_commands(page: Path) -> Iterator[list[str]]:
    """The command lines of a page that run `hookline`, from `hookline` on."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    lines += re.findall(r"`((?:\.venv/bin/)?hookline [^`]+)`", text)
    for line in lines:
        words = shlex.split(line, comments=True)
        for place, word in enumerate(words):
            if word.rpartition("/")[2] == "hookline" and "=" not in word:
                yield words[place + 1 :]
                break


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that these words name, and what follows it; None if there is none."""
    command: Any = get_command(app)
    while (inner := inner_commands(command)) and words and not words[0].startswith("-"):
        command, words = inner.get(words[0]), words[1:]
    return command, words


def inner_commands(command: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(command, "commands", {})
    return found
