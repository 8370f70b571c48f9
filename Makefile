# Everything a user or a developer runs. `make up` and `make test` need only Python >= 3.11 with venv, and a network for the install.
# Options go in ARGS: make up ARGS="--port 4281"
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
export DO_NOT_TRACK := 1
export UV_NO_PROGRESS := 1

# A line every five seconds while a command works: nobody should wonder whether it still does.
PATIENTLY := sh -c '"$$@" & pid=$$!; trap "kill $$pid" INT TERM; waited=0; while kill -0 $$pid 2>/dev/null; do sleep 1; \
  waited=$$((waited + 1)); [ $$((waited % 5)) -ne 0 ] || echo "forewatch:   still at it, $$waited s so far"; done; wait $$pid' --

.PHONY: up demo install test unit simulate evening lint types bench soak lock clean

up: $(VENV)/.installed
	@exec $(BIN)/forewatch up $(ARGS)

demo: $(VENV)/.installed
	@exec $(BIN)/python -m examples.shop.demo $(ARGS)

install: $(VENV)/.installed

$(BIN)/uv:
	@echo "forewatch: making $(VENV), then fetching uv, which installs the rest ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "forewatch: needs Python 3.11 or newer; run: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "forewatch: this Python has no venv module; on Debian or Ubuntu run: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(PATIENTLY) $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/uv
	@echo "forewatch: installing locked dependencies (20 s to a minute, once) ..."
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(PATIENTLY) $(BIN)/uv pip install --quiet --require-hashes --compile-bytecode -r requirements.lock
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(PATIENTLY) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@echo "forewatch: installing test tools ..."
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(PATIENTLY) $(BIN)/uv pip install --quiet --require-hashes --compile-bytecode -r requirements-dev.lock
	@touch $@

# Two at a time, a file each; then, by themselves, those that keep time.
test: lint types
	$(BIN)/pytest -n 2 --dist loadfile -m "not alone"
	$(BIN)/pytest -m alone

unit: $(VENV)/.installed-dev
	$(BIN)/pytest -m "not e2e and not browser"

# Random histories under a simulated clock; a failing one is told as a short story.
SEEDS ?= 1000
simulate: $(VENV)/.installed-dev
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --jobs 2 $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.installed-dev
	$(BIN)/mypy

# An evening at a small company at real pace, with nginx and PostgreSQL; about ten minutes, told at the end.
evening: $(VENV)/.installed-dev
	FOREWATCH_EVENING=real $(BIN)/pytest -s tests/e2e/test_small_company.py

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks $(ARGS)

# Ten minutes under load, as no benchmark: it judges. make soak ARGS="--minutes 2"
soak: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.soak $(ARGS)

# Hashes for all platforms; no index address in the file.
LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
  --no-annotate --no-header --python-version 3.11 pyproject.toml
lock: $(BIN)/uv
	$(LOCK) --extra build --upgrade -o requirements.lock
	$(LOCK) --extra build --extra dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
