# Every target sets up what it needs; `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CRDS := charts/workspace-ctrl/files/kaito.sh_
REFERENCES := docs/reference/
KAITO := docs/reference/kaito.md
CONDITIONS := docs/reference/conditions.md
COMMANDS := docs/cli.md
VERSIONS := docs/compatibility.md
VALUES := charts/workspace-ctrl/README.md
DOCS_TOOLS := build/docs-tools
SETTINGS := docs/reference/settings.md
DASHBOARD := docs/reference/dashboard.md
TESTS ?=
N ?= 200
BENCH ?=
FUZZ_SECONDS ?= 20
TARGETS ?=
ENGINE ?= hypothesis
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGE ?= localhost/workspace-ctrl:$(VERSION)
TARGET ?= controller
CLASS ?= istio
REGISTRY ?=
KEY ?=
RELEASE ?=
PUSH ?=
MUTANTS ?=

.DEFAULT_GOAL := help
.PHONY: help setup lint format test test-unit test-integration test-addons fuzz agreement generate lock image pin-images chart sbom release mutants bench demo demo-shell demo-down demo-kind build e2e-kind docs clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Create .venv with the pinned packages

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lint: setup ## Check style, types, import layers and generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	for kind in workspace inferenceset; do \
		$(BIN)/workspace-ctrl crd $$kind | diff -u $(CRDS)$${kind}s.yaml - || { echo "the CRD is not current; run: make generate"; exit 1; }; \
		$(BIN)/workspace-ctrl crd $$kind -o markdown | diff -u $(REFERENCES)$$kind.md - || { echo "the reference is not current; run: make generate"; exit 1; }; \
	done
	$(BIN)/python -m workspace_ctrl.catalog.kaito_page | diff -u $(KAITO) - || { echo "the page on KAITO is not current; run: make generate"; exit 1; }
	$(BIN)/python -m release version --check

format: setup ## Let ruff fix and format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

test: setup ## Run all tests that this machine can run; as root on Linux on a real cluster (TESTS=path to choose)
	$(BIN)/python -m e2e.test $(TESTS)

test-unit: setup ## Run the unit tests: no program is started, no connection opened (20 seconds)
	$(BIN)/python -m e2e.test --unit

test-integration: setup ## Run the tests that start programs and servers on this machine, without a cluster (30 seconds)
	$(BIN)/python -m e2e.test --integration

test-addons: setup ## Run the tests of the local cluster's optional add-ons, and of the page in Chromium (builds and installs them first)
	$(BIN)/python -m e2e.cluster build --addons all,envoy-gateway,kthena,keda,prometheus,endpoint-pickers-of-old,llama-cpp
	$(BIN)/python -m tests.browser
	$(BIN)/pytest -m optional_addons e2e tests/browser

fuzz: setup ## Search for input that breaks a reader, FUZZ_SECONDS=20 for each target (TARGETS="verdict records", ENGINE=atheris)
	@if [ "$(ENGINE)" = atheris ]; then $(BIN)/python -m pip install --quiet --require-hashes -r requirements/fuzz.txt; fi
	$(BIN)/python -m tests.fuzz --engine $(ENGINE) --seconds $(FUZZ_SECONDS) $(TARGETS)

mutants: setup ## Change the pure core in 120 places, one at a time, and say what no test notices (MUTANTS="PATH --count N --seconds N")
	$(BIN)/python -m tests.mutants $(MUTANTS)

agreement: setup ## Compare GatewayReady with real requests under faults, behind CLASS=istio, envoy-gateway or kthena-router, and write the table down
	$(BIN)/python -m e2e.agreement --class $(CLASS) --write

generate: setup ## Write the generated files
	for kind in workspace inferenceset; do \
		$(BIN)/workspace-ctrl crd $$kind > $(CRDS)$${kind}s.yaml && $(BIN)/workspace-ctrl crd $$kind -o markdown > $(REFERENCES)$$kind.md || exit 1; \
	done
	$(BIN)/python -m workspace_ctrl.catalog.kaito_page > $(KAITO)
	$(BIN)/python -m release version
	$(BIN)/workspace-ctrl explain --markdown > $(CONDITIONS)
	$(BIN)/workspace-ctrl cli-reference > $(COMMANDS)
	$(BIN)/python -m docsite.compatibility_page > $(VERSIONS)
	$(BIN)/python -m docsite.values_page > $(VALUES)
	$(BIN)/python -m docsite.settings_page > $(SETTINGS)
	$(BIN)/python -m docsite.dashboard_page > $(DASHBOARD)
	$(BIN)/python -m docsite.pictures

build: setup ## Build the programs of the local cluster (about 13 minutes once, then cached)
	$(BIN)/python -m e2e.cluster build --install-packages

demo: setup ## From nothing to a chat completion through a gateway, on this machine
	@$(BIN)/python -m e2e.demo up

demo-shell: ## A shell in the demo's cluster
	@$(BIN)/python -m e2e.cluster shell --name demo

demo-down: ## Remove the demo
	@$(BIN)/python -m e2e.demo down

docs: setup ## The documentation as a site in build/site: works offline, with search; links are checked
	@test -e $(DOCS_TOOLS)/.installed || { $(PYTHON) -m venv $(DOCS_TOOLS) && \
		$(DOCS_TOOLS)/bin/python -m pip install --quiet --require-hashes -r requirements/docs.txt && touch $(DOCS_TOOLS)/.installed; }
	$(BIN)/python -m docsite --mkdocs $(DOCS_TOOLS)/bin/mkdocs build/site

demo-kind: setup ## The quickstart on a cluster of kind, as it is written (needs docker, kind, kubectl, helm, istioctl)
	@$(BIN)/python -m e2e.quickstart

e2e-kind: setup ## Run the cluster tests against a kind cluster (needs Docker, kind, flux)
	$(BIN)/python -m e2e.kind

bench: setup ## Measure the controller with N=200 Workspaces at once on a cluster of its own (BENCH="--broken 50 --write" for more)
	$(BIN)/python -m e2e.bench --workspaces $(N) $(BENCH)

image: ## Build the container image with Docker (IMAGE=registry/name:tag, TARGET=with-helm for one with helm)
	docker build --target $(TARGET) --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) --tag $(IMAGE) .

pin-images: ## Write the digests of the base images into the Dockerfile (needs docker and the Internet)
	$(PYTHON) image/pin.py Dockerfile

chart: ## Pack the chart into dist, with the version of Flux's chart in Chart.lock (needs helm and the Internet)
	helm dependency build charts/workspace-ctrl
	helm package charts/workspace-ctrl --destination dist

sbom: setup ## Write dist/sbom.cdx.json: what the image has of PyPI (CycloneDX); the image itself lists its base and helm, too
	@mkdir -p dist && rm -rf build/sbom
	$(BIN)/python -m pip install --quiet --require-hashes --no-compile --target build/sbom -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --no-compile --target build/sbom .
	$(BIN)/python image/sbom.py build/sbom > dist/sbom.cdx.json

release: setup ## Build all of a release into dist, signed with KEY=file, and push it to REGISTRY=host/path, which needs KEY (RELEASE, PUSH=options)
	$(BIN)/python -m release build $(if $(KEY),--key $(KEY)) $(if $(REGISTRY),--registry $(REGISTRY)) $(RELEASE)
	$(if $(REGISTRY),$(BIN)/python -m release push --registry $(REGISTRY) $(if $(KEY),--key $(KEY)) $(PUSH))

lock: ## Pin the newest versions of all packages
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet pip-tools
	for set in runtime build dev go fuzz docs; do ./requirements/lock $$set || exit 1; done

clean: ## Remove the virtual environment and caches of this folder
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
