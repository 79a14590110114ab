# Everything the project does is a target here; `make` prints them. Nothing has to be installed first but Python 3.11+,
# and for a local Kafka Java 17+ and Maven (or Docker, or HOOKLINE_BOOTSTRAP_SERVERS). Tests that run JavaScript are
# skipped where Node.js or npm is missing.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Tests start some hundred processes: where nothing compiled may be kept, each of them compiles all that it imports (1.5 s).
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup up test check format unit road chaos properties fuzz mutants bench isolation postponing tiers history replay catchup faketime postgres lock jars clean

# Contract tests that share no broker and measure no time are shared out one by one; the others file by file to three processes,
# for they mostly wait. Each has a broker of its own, and the files that take longest come first: none is left over at the end.
QUICK := $(filter-out %_on_kafka.py %_replicas.py,$(wildcard tests/contract/test_api_*.py)) tests/contract/test_resolver.py
LONG := $(patsubst %,tests/contract/test_%.py,three_nodes history_rebuild cli_erase replay_takeover fenced changes_away fanout_kafka \
	embedded_broker cli_config publisher_outage)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV_VERSION := 0.13.9
# The first Python on PATH that really is 3.11 to 3.13 (a pyenv shim may exist and refuse to run).
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup: $(VENV)/.ready ## environment and locked dependencies (the others do this too)

$(VENV)/.ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Hookline needs Python 3.11, 3.12 or 3.13 on PATH as python3."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: install python3-venv."; exit 1; }
	@test -x $(BIN)/uv || $(PIP) uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock || { \
		echo "uv could not; trying pip, which reads pip.conf (slower)"; $(PIP) --require-hashes -r requirements.lock; }
	@$(PIP) --no-deps --no-build-isolation uv==$(UV_VERSION) --editable .
	@touch $@

jars: $(VENV)/.ready ## Kafka's jars, unless a broker is configured or Docker answers
	@$(BIN)/hookline broker fetch

up: $(VENV)/.ready ## the whole road here, with a demo; its options go in ARGS="--fresh"
	@$(BIN)/hookline up $(ARGS)

test: check road ## everything CI runs

check: $(VENV)/.ready postgres jars ## format, lint, types, layers, unit, property and contract tests
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/mypy --scripts-are-modules tests benchmarks
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/pytest -q -n 2 --dist worksteal tests/unit tests/layout tests/property $(QUICK)
	@$(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(LONG) $(filter-out $(QUICK) $(LONG),$(sort $(wildcard tests/contract/test_*.py)))

faketime: ## Debian's faketime and a C compiler, for the test of the 20 h retry schedule (skipped without them)
	@{ ls /usr/lib/*/faketime/libfaketime.so.1 && command -v cc; } >/dev/null 2>&1 || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -qq --no-install-recommends faketime gcc libc6-dev >/dev/null; } \
		|| echo "faketime or a C compiler is not there, and only root could install it with apt: the retry schedule's test will be skipped"

postgres: ## Debian's PostgreSQL, for the history store's tests (skipped without it, Docker and HOOKLINE_TEST_POSTGRES)
	@test -n "$$HOOKLINE_TEST_POSTGRES" || docker version >/dev/null 2>&1 || command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 \
		|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -qq --no-install-recommends postgresql >/dev/null; } \
		|| echo "PostgreSQL is not there, and only root could install it with apt: the tests of the history store on it will be skipped"

road: jars faketime ## tests of the whole road on a real broker, with three minutes of chaos
	@$(BIN)/pytest -q -n 2 --dist worksteal tests/road tests/chaos/test_ledger.py tests/chaos/test_gaps.py
	@$(BIN)/pytest -q -s tests/chaos/test_node.py

chaos: jars ## everything is killed under load, for 20 minutes: ARGS="-k test_node --seed 7 --table chaos.txt"
	@$(BIN)/pytest -q -s tests/chaos --full $(ARGS)

properties: $(VENV)/.ready ## the engine's rules through 1,000,000 random steps: ARGS="--seed 7"
	@PYTHONPATH=tests $(BIN)/python tests/property/million.py $(ARGS)

fuzz: $(VENV)/.ready ## every operation of the API with 1,000 examples of its OpenAPI document: ARGS="--examples 1000 --seed 7"
	@PYTHONPATH=tests $(BIN)/python tests/property/fuzz.py $(ARGS)

mutants: $(VENV)/.ready ## wrong lines, one at a time; fails if the tests let one pass: ARGS="bitmap"
	@PYTHONPATH=tests $(BIN)/python tests/mutants/run.py $(ARGS)

bench: jars postgres ## deliveries a second and latency, beside a bare client; without ARGS the history store as well
	@PYTHONPATH=tests $(BIN)/python benchmarks/road.py $(ARGS)
	@$(if $(ARGS),,PYTHONPATH=tests $(BIN)/python benchmarks/history.py)

isolation: jars ## latency at healthy endpoints, with and without bad ones: ARGS="--bad partition|forty|dns|replay"
	@PYTHONPATH=tests $(BIN)/python benchmarks/isolation.py $(ARGS)

postponing: jars ## an endpoint with a rate limit, a slow one with a backlog: ARGS="limited" or "slow"
	@PYTHONPATH=tests $(BIN)/python benchmarks/postponing.py $(ARGS)

tiers: jars ## how late the 1 s tier is at 1,000 a second
	@PYTHONPATH=tests $(BIN)/python benchmarks/tiers.py $(ARGS)

history: $(VENV)/.ready postgres ## the history store full of attempts: ARGS="postgres --attempts 10000000"
	@PYTHONPATH=tests $(BIN)/python benchmarks/history.py $(ARGS)

replay: jars ## how fast a replay reads and writes: ARGS="--events 400000 --deliveries 50000"
	@PYTHONPATH=tests $(BIN)/python benchmarks/replay.py $(ARGS)

catchup: jars ## a webhook that was paused for 100,000 events catches up with all of them
	@$(BIN)/pytest -q tests/road/test_catch_up.py --missed 100000 $(ARGS)

format: $(VENV)/.ready ## let ruff write the format and the safe fixes
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(VENV)/.ready ## renew requirements.lock from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --upgrade --output-file requirements.lock --quiet

clean: ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
