# What people and CI call. Every target makes what it needs; a second call is quick.
#
#   make run       start Entrepot on 127.0.0.1:8080
#   make test      everything tests need, then all tests (ARGS="-k name" to choose)
#   make lint      style, types, import contracts, generated pages
#   make live      real registries, real clients
#   make campaign  the long fault, crash and herd rounds
#   make bench     side-by-side measurements
#   make docs      write the generated pages
#   make lock      resolve requirements again (ARGS="--upgrade" for newer ones)
#   make clean     remove everything that make made

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
NODE_CLIENTS := pnpm@10.34.9 @yarnpkg/cli-dist@4.18.1
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
ARGS ?=

.DELETE_ON_ERROR:
.PHONY: run test lint live campaign bench docs lock clean

run: $(STAMPS)/run
	@exec $(BIN)/entrepot serve --listen 127.0.0.1:8080 $(ARGS)

test: $(STAMPS)/test $(STAMPS)/system
	PATH="$(CURDIR)/.cache/tools/bin:$(CURDIR)/$(BIN):$$PATH" PYTHONHASHSEED=0 $(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

lint: $(STAMPS)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/entrepot config reference | diff -u docs/settings.md - || (echo "run: make docs" >&2; exit 1)

live: $(STAMPS)/test $(STAMPS)/system
	PATH="$(CURDIR)/.cache/tools/bin:$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.live $(ARGS)

campaign: $(STAMPS)/test $(STAMPS)/system
	PATH="$(CURDIR)/.cache/tools/bin:$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.campaign $(ARGS)

bench: $(STAMPS)/test $(STAMPS)/system
	PATH="$(CURDIR)/.cache/tools/bin:$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m bench $(ARGS)

docs: $(STAMPS)/run
	$(BIN)/entrepot config reference >docs/settings.md

lock: $(STAMPS)/dev
	tools/lock $(ARGS)

clean:
	rm -rf $(VENV) .cache build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis src/*.egg-info
	find src tests bench tools -name __pycache__ -prune -exec rm -rf {} +

# Packages come from locks with hashes. Our own package needs no download: setuptools is in the lock.

$(BIN)/python:
	tools/venv $(VENV)

$(STAMPS)/run: requirements/run.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes --only-binary :all: -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation --no-index --editable .
	@mkdir -p $(@D) && touch $@

$(STAMPS)/test: requirements/test.txt $(STAMPS)/run
	$(PIP) install --require-hashes --only-binary :all: -r requirements/test.txt
	@mkdir -p $(@D) && touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/run
	$(PIP) install --require-hashes --only-binary :all: -r requirements/dev.txt
	@mkdir -p $(@D) && touch $@

# Clients and tools from outside Python. What is missing afterwards makes its tests skip, with the reason.
$(STAMPS)/system: tools/debian-packages tools/node-clients | $(BIN)/python
	tools/debian-packages
	tools/node-clients .cache/tools $(NODE_CLIENTS)
	@mkdir -p $(@D) && touch $@
