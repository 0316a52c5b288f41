# Two commands are enough to start: `make run` and `make test`. `make` alone lists the others.
# Everything goes into .venv; nothing outside this folder is touched.

PYTHON ?= python3
CONFIG ?= config/incidentd.yaml
# More arguments for pytest, for instance: make test PYTEST_ARGS="tests/store -x"
PYTEST_ARGS ?=
# For `make lock`: UPGRADE=--upgrade takes the newest allowed versions instead of keeping the locked ones.
UPGRADE ?=

# For `make fuzz`: which parsers, and how many inputs for each.
FUZZ ?= webhook configuration runbook signature template line bundle
RUNS ?= 20000

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check --no-input -q
# Processes of the test run, on two cores too: most tests wait for other processes more than they compute. Each one
# starts a PostgreSQL of its own, so a big machine is not used up.
WORKERS ?= -n 4 --dist=loadgroup

UV_COMPILE = UV_PYTHON_DOWNLOADS=never "$$uv" pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	--custom-compile-command 'make lock' $(UPGRADE)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check fmt bench fuzz lock sbom clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.stamp-run  ## install into .venv and start the daemon on http://127.0.0.1:8650
	@mkdir -p data
	@exec $(BIN)/incidentd serve --config $(CONFIG)

test: $(VENV)/.stamp-dev  ## run the whole suite; a part whose program is missing is skipped by name
	@$(BIN)/python -m pytest $(WORKERS) $(PYTEST_ARGS)

check: $(VENV)/.stamp-dev  ## format, lint, types, import layers, documents: what has to pass before the tests
	@echo "format"; $(BIN)/ruff format --check --quiet . || { echo "run: make fmt"; exit 1; }
	@echo "lint";   $(BIN)/ruff check --quiet .
	@echo "types";  $(BIN)/mypy
	@echo "layers"; $(BIN)/lint-imports --no-logo
	@echo "documents"; $(BIN)/python -m pytest -q tests/test_docs.py tests/test_shape.py tests/config/test_reference.py

fmt: $(VENV)/.stamp-dev  ## format the code and apply the safe fixes of the linter
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.stamp-dev  ## measure speed and memory on this machine
	@$(BIN)/python -m benchmarks

fuzz: $(VENV)/.stamp-dev  ## search for inputs that break a parser (RUNS=1000000 before a release)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(PIP) install 'atheris>=3.0,<4'
	@mkdir -p build/fuzz; for target in $(FUZZ); do echo "fuzzing $$target"; \
	  (cd build/fuzz && PYTHONPATH=$(CURDIR) $(CURDIR)/$(BIN)/python -m tests.fuzz $$target -runs=$(RUNS) -verbosity=0) || exit 1; done

lock: $(VENV)/.stamp-venv  ## write the lock files anew from pyproject.toml (UPGRADE=--upgrade for newer versions)
	@test -x $(BIN)/uv || command -v uv >/dev/null || $(PIP) install 'uv>=0.13,<0.14'
	@uv=$(BIN)/uv; test -x "$$uv" || uv=$$(command -v uv); \
	echo "locking"; \
	$(UV_COMPILE) pyproject.toml --extra postgres --extra apprise --extra oidc --extra otel --extra sentry --extra test --extra lint --group build -o requirements-dev.lock && \
	$(UV_COMPILE) pyproject.toml --extra postgres --extra oidc --extra otel --extra sentry -c requirements-dev.lock -o requirements.lock && \
	$(UV_COMPILE) --group build -c requirements-dev.lock -o requirements-build.lock

sbom: $(VENV)/.stamp-run  ## write dist/sbom.cdx.json: what an install takes, with hashes (CycloneDX)
	@$(BIN)/python deploy/sbom.py --output dist/sbom.cdx.json

clean:  ## remove .venv, caches and build results; data/ stays
	rm -rf $(VENV) build dist .coverage htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find incidentd tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment; a stamp is newer than everything it was made from ----------------------------------------------

# Not a file that make compares: a moved folder or an upgraded Python breaks .venv without changing any file.
VENV_OK := $(shell $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes)
ifneq ($(VENV_OK),yes)
.PHONY: $(VENV)/.stamp-venv
endif

$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "incidentd needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 || true)."; \
	  echo "Name another one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; } >&2
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; } >&2
	@if [ "$(VENV_OK)" != yes ]; then echo "creating $(VENV)"; $(PYTHON) -m venv --clear $(VENV); fi
	@touch $@

$(VENV)/.stamp-run: $(VENV)/.stamp-venv pyproject.toml requirements.lock requirements-build.lock
	@echo "installing incidentd and its dependencies (about half a minute the first time)"
	@$(PIP) install --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-run requirements-dev.lock
	@echo "installing the test dependencies"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
