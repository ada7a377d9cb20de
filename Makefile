# Everything from a fresh clone on Debian with Python 3.11 to 3.13, Node 20.19 or later, and make:
#   make build    the examples into dist/
#   make test     all checks and tests
# PYTHON=python3.12 picks another interpreter for the virtual environment.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

ifndef PYTHON
PYTHON := $(shell for name in python3.11 python3.12 python3.13 python3; do \
	if $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2> /dev/null; then echo $$name; break; fi; done)
endif
needs_python := Python 3.11, 3.12 or 3.13 is needed. Name one with make PYTHON=..., or let uv bring one: \
	pip install uv && uv python install 3.12 && make PYTHON="$$(uv python find 3.12)" $(or $(MAKECMDGOALS),setup)
VENV := .venv
PY := $(VENV)/bin/python
PORT ?= 8000
CHROMIUMS := chromium chromium-browser google-chrome
FIREFOXES := firefox-esr firefox
APT = sudo=; if [ "$$(id -u)" != 0 ]; then sudo=sudo; fi; \
	$$sudo apt-get update -q; $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends

.PHONY: help
help: ## Say what there is
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: build
build: setup examples ## Set up, fetch the example models and build them into dist/
	$(PY) build.py --compare
	@echo
	@echo "Look at them: make serve, then open http://127.0.0.1:$(PORT)/assets/pages/"

.PHONY: test
test: setup browser examples check ## Set up, run all checks and all tests
	$(PY) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: check
check: setup ## Only the checks of the Python code: style, types, layers
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

.PHONY: serve
serve: ## Serve this folder on 127.0.0.1 to look at the example pages
	$(PY) -m http.server $(PORT) --bind 127.0.0.1

.PHONY: watch
watch: setup ## Build, serve on 127.0.0.1 and build again on every change
	$(PY) build.py --watch --port $(PORT)

.PHONY: setup
setup: $(VENV)/.ready node_modules/.package-lock.json ## Only the virtual environment and the npm packages

.PHONY: examples
examples: setup ## Only fetch and make the sources of the examples
	$(PY) assets/fetch.py
	$(PY) assets/recipes/small_savedmodel.py
	$(PY) assets/recipes/beautify.py
	$(PY) assets/recipes/enlarge.py
	$(PY) assets/recipes/mobilenet.py
	$(PY) assets/recipes/student.py
	$(PY) assets/recipes/style.py
	$(PY) assets/recipes/words_en.py
	$(PY) assets/recipes/words_zh.py
	$(PY) assets/recipes/meaning.py

# Material announces its successor at each build, as a warning: `make docs` is to end without any.
.PHONY: docs
docs: setup ## Only the documentation's site, into site/; the examples are in it if they are built
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet
	@echo "Read it: $(PY) -m http.server $(PORT) --bind 127.0.0.1 --directory site"

.PHONY: ops
ops: setup ## Only write docs/ops.md and docs/ops.zh.md: what becomes of each op
	$(PY) -c "from builder.graphs.table import ops_table; open('docs/ops.md', 'w', encoding='utf-8').write(ops_table())"
	$(PY) -c "from builder.graphs.table import ops_table; open('docs/ops.zh.md', 'w', encoding='utf-8').write(ops_table(chinese=True))"

.PHONY: browser
browser: ## Only Chromium and Firefox for the tests, when there are none
	@missing=; command -v $(CHROMIUMS) > /dev/null || missing=chromium; \
	command -v $(FIREFOXES) > /dev/null || missing="$$missing firefox-esr"; \
	if [ -n "$$missing" ]; then $(APT) $$missing; fi

.PHONY: clean
clean: ## Remove all that was made here, the example models included
	rm -rf $(VENV) node_modules dist site .shardpress .bundled assets/models assets/samples .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Debian packs the venv module apart from Python. The converter and tf-keras are installed apart, as they name gigabytes
# that are never used (docs/decisions/0013-the-converter-without-its-dependencies.md).
$(VENV)/.ready: pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then echo 'error: $(needs_python)' >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import ensurepip' 2> /dev/null; then \
		version=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); $(APT) $$version; fi
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[tensorflow,dev]'
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --no-deps tensorflowjs tf-keras
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json
	@if ! command -v npm > /dev/null; then echo "error: npm is needed. Install Node 20.19 or later with npm." >&2; exit 1; fi
	npm ci --ignore-scripts
	@touch $@
