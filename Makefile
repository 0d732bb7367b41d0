# Every target sets up what it needs; `make test` works on a bare machine with Python 3.11+ and Java 17+.
.DEFAULT_GOAL := help
PYTHON_OF_VENV := .venv/bin/python
# Processes that share the tests by file; 1 is none but pytest's own. More need about 4 GiB each.
PYTEST_WORKERS ?= 2
SHARED := $(if $(filter-out 0 1,$(PYTEST_WORKERS)),-n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder)
SOURCES := etl jobs tests scripts $(wildcard bench)

.PHONY: help setup check quick test proof demo bench up down clean

help: ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

setup: ## virtual environment and Spark packages, with what checks and tests need
	@scripts/setup.sh --dev

check: setup ## formatter, linter, types, layers, also of the page; is its client what the API says?
	.venv/bin/ruff check $(SOURCES)
	.venv/bin/ruff format --check $(SOURCES)
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTHON_OF_VENV) scripts/page.py check

quick: check ## checks and unit tests: no server
	$(PYTHON_OF_VENV) -m pytest -m "not slow" $(SHARED) tests/unit $(PYTEST_ARGS)

test: setup ## all tests but the slow ones, on servers of their own; of the page those that need no browser
	$(PYTHON_OF_VENV) scripts/page.py test
	$(PYTHON_OF_VENV) -m pytest -m "not slow" $(SHARED) $(PYTEST_ARGS)
	@echo "left to make proof: the slow tests, among them the page in a browser (tests/browser; needs Chromium)"

proof: setup ## what takes longer: the slow tests and those in a browser, and `make test` in a clean clone
	$(PYTHON_OF_VENV) -m pytest -m "slow or browser" $(SHARED) $(PYTEST_ARGS)
	scripts/proof.sh

demo: ## the page with everything behind it: servers, jobs, a running load; needs no Java. Ctrl-C ends all
	@scripts/setup.sh --page
	@$(PYTHON_OF_VENV) -m etl.api.demo

bench: setup ## loaders against their baselines; results go to bench/README.md
	$(PYTHON_OF_VENV) -m bench main

up: setup ## start the embedded servers
	$(PYTHON_OF_VENV) -m etl.stack up

down: setup ## stop the embedded servers; their data stays
	$(PYTHON_OF_VENV) -m etl.stack down

clean: ## stop the embedded servers; delete their data, the environment, packages and caches
	if [ -x $(PYTHON_OF_VENV) ]; then $(PYTHON_OF_VENV) -m etl.stack reset; fi
	rm -rf ui/node_modules etl/api/page etl/api/page.partial etl/api/page.old
	rm -rf .venv .ivy .data ownlens_etl.egg-info logs spark-warehouse .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
