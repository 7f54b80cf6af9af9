# Everything a person does here, one line a target. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup run demo test check format lint types imports docs docs-check sdk claude-code bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

$(VENV)/.runtime: requirements.txt setup.py relay/stream/_passing.c
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.txt
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	$(BIN)/pip install --quiet --requirement requirements-dev.txt
	@touch $@

setup: $(VENV)/.dev ## make .venv with everything for development

run: $(VENV)/.runtime ## serve on 127.0.0.1:8787; writes a config first if there is none
	@$(BIN)/cc-relay config init --if-missing
	@exec $(BIN)/cc-relay serve

demo: $(VENV)/.runtime ## the relay and a made-up provider, to try without any account
	@exec $(BIN)/cc-relay demo

test: $(VENV)/.dev sdk ## the whole test suite
	$(BIN)/pytest --numprocesses 2 --dist loadfile

check: lint types imports docs-check ## format, lint, types, import contracts, generated documents

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/interrogate --quiet relay

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

docs: $(VENV)/.dev ## write docs/configuration.md and the JSON schema anew
	$(BIN)/python -m relay.config.reference write

docs-check: $(VENV)/.dev
	$(BIN)/python -m relay.config.reference check

sdk: $(VENV)/.dev
	@$(BIN)/python -m tests.clients.install

claude-code: $(VENV)/.dev ## play the real Claude Code against the relay (needs npm)
	$(BIN)/python -m acceptance.claude_code.run

bench: $(VENV)/.dev ## what the relay costs and never does under load, as tables (6 minutes)
	$(BIN)/python -m bench.promptness
	$(BIN)/python -m bench.cancellation
	$(BIN)/python -m bench.crosstalk
	$(BIN)/python -m bench.body
	$(BIN)/python -m bench.deciding
	$(BIN)/python -m bench.load

clean: ## remove what the other targets made
	rm -rf $(VENV) .sdk .claude-code build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
