# Two commands for a newcomer: `make demo` and `make test`. They need Python 3.11 or newer and make; the rest goes into .venv.

PYTHON ?= python3
BIN := .venv/bin
# As measured in a fresh clone on two cores; README says the same.
DEMO_MINUTES := 8
TEST_MINUTES := 9
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# As the command line sets it for itself (dnerv.process): threads that wait spin a little.
export GOMP_SPINCOUNT ?= 10000

.PHONY: demo test studies docs clean help

help:
	@echo "make demo    encode three real videos, decode them, compare with x264, x265 and AV1 ($(DEMO_MINUTES) minutes on two cores)"
	@echo "make test    lint, types and the test suite ($(TEST_MINUTES) minutes on two cores)"
	@echo "make studies the paper with more seeds and steps, hours each; ARGS=--list names them"
	@echo "make docs    build the site into build/site"
	@echo "make clean   remove .venv, demo/ and all caches; studies/ stays"
	@echo "PYTHON=...   the interpreter to build .venv from (python3)"

demo: .venv/ready-studies
	@$(BIN)/python examples/demo.py

test: .venv/ready-test
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/mypy examples
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

# Hours to days: `make studies ARGS=--list` says which, and how long; ARGS has names, --data FOLDER, --device cuda.
studies: .venv/ready-studies
	$(BIN)/python benchmarks/every_study.py $(ARGS)

# The theme's warning is of MkDocs 2, which pyproject.toml rules out.
docs: .venv/ready-docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Rebuilt when what must be installed has changed. torch first and by itself: this version satisfies the range in
# pyproject.toml, and what is installed already is not looked for again.
.venv/ready-%: pyproject.toml src/dnerv/codecs/_planes.c | .venv/python
	@echo "installing dnerv[$*] into .venv ..."
	@$(PIP) torch==2.13.0
	@$(PIP) --editable '.[$*]'
	@touch $@

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "dnerv needs Python 3.11 or newer, and $(PYTHON) is not: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { \
		rm -rf .venv; echo "$(PYTHON) cannot make virtual environments: install its venv module" >&2; exit 1; }
	@touch $@

clean:
	rm -rf .venv demo build dist .mypy_cache .ruff_cache .pytest_cache src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
