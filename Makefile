# The commands of the house.  `make` alone lists them.
#
# Every target makes .venv and installs what it needs, once: a second call only runs.
# Another interpreter: make demo PYTHON=python3.12    Fewer test processes: make test JOBS=1

PYTHON ?= python3
VENV ?= .venv
JOBS ?= auto

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Whoever reads what another writes comes after it: the zoo's page is made from its table of costs.
TOOLS := tools/zoo_costs.py $(filter-out tools/_% tools/zoo_costs.py,$(wildcard tools/*.py))
# Other people's networks, to test against.  Without what they require: torchvision asks for one
# build of torch, and bench/peers.py imports it under any (docs/decisions/0009-peers.md).
PEERS := timm==1.0.31 torchvision==0.29.2 litdata==0.2.76
# One thread a process: the tests run side by side.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --maxprocesses 8

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check gates format format-check lint types contracts generated generate \
        docs serve-docs bench clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' \
	  | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

demo: $(VENV)/installed ## from nothing to a trained, checked, explained network: striate fit on real digits
	$(BIN)/striate fit

test: $(VENV)/installed-dev ## run the tests; says by name what it skipped, and why
	$(PYTEST)

check: gates test ## the whole truth, and what CI runs: gates, then tests

gates: format-check lint types contracts generated docs ## everything of `make check` but the tests

format: $(VENV)/installed-dev ## write the code in the house's format
	$(BIN)/ruff format
	$(BIN)/ruff check --fix --exit-zero --quiet

format-check: $(VENV)/installed-dev
	$(BIN)/ruff format --check

lint: $(VENV)/installed-dev ## ruff
	$(BIN)/ruff check

types: $(VENV)/installed-dev ## pyright's strict mode on src
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --warnings

contracts: $(VENV)/installed-dev ## which room may import which
	$(BIN)/lint-imports --no-logo --no-cache

generated: $(VENV)/installed-dev ## are the generated files up to date?
	@stale=0; for tool in $(TOOLS); do \
	  echo "$$tool --check"; $(BIN)/python $$tool --check || stale=1; done; exit $$stale

generate: $(VENV)/installed-dev ## write the generated files again
	@set -e; for tool in $(TOOLS); do echo "$$tool"; $(BIN)/python $$tool; done

docs: $(VENV)/installed-dev ## build the docs into site/; a warning is a failure
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

serve-docs: $(VENV)/installed-dev ## the docs on this machine, rebuilt as they are written
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

bench: $(VENV)/installed ## measure again what bench/RESULTS.md says
	$(BIN)/python bench/digits.py
	$(BIN)/python bench/check.py
	$(BIN)/python bench/mutants.py --json
	$(BIN)/python tools/bench_results.py

clean: ## take away what was built (runs are kept)
	rm -rf $(VENV) site build dist src/*.egg-info .pytest_cache .hypothesis .ruff_cache
	find src tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "striate needs Python 3.11 or newer, and $(PYTHON) is older;" \
	       "name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: pyproject.toml | $(VENV)/made
	$(PIP) install --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/made
	$(PIP) install --editable '.[dev]'
	$(PIP) install --no-deps $(PEERS)
	@touch $@ $(VENV)/installed
