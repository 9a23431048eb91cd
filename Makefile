# Every target sets up what it needs; `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLUSTER := $(BIN)/python -m e2e.cluster

.DEFAULT_GOAL := help
.PHONY: help setup lint format test test-unit generate lock demo demo-shell demo-down cluster-up cluster-down e2e-kind clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  \033[36m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Create .venv with the pinned packages

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lint: setup ## Style, types, import layers, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: setup ## Let ruff fix and format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lock: ## Refresh the pinned requirements
	@test -x $(VENV)/bin/pip-compile || $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet pip-tools
	for set in runtime dev go; do ./requirements/lock $$set; done
