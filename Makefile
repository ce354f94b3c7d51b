# Everything runs in .venv, which `tools/setup.sh` makes. GNU make 3.81 or newer.
#   PYTHON=/path/to/python3.12   which Python to build .venv from (else the first fitting one on PATH)
#   TORCH_INDEX=URL              take torch from this wheel index (CPU-only or another GPU build)
#   WHEELS=DIR                   look for wheels in this folder or page as well
#   UV=no                        install with pip although uv is faster
#   ARGS="..."                   passed on: make test ARGS="-k planner"
PYTHON ?=
TORCH_INDEX ?=
WHEELS ?=
UV ?=
ARGS ?=
BIN := .venv/bin
SETUP = PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" WHEELS="$(WHEELS)" UV="$(UV)" sh tools/setup.sh
# A choice of Python or torch is looked at again even where .venv is up to date.
CHOICE := $(if $(strip $(PYTHON)$(TORCH_INDEX)$(WHEELS)),choice)

.PHONY: help install demo test quick lint types docs clean choice

help:
	@echo "make demo      set up, then train, evaluate and search on the built-in corpus"
	@echo "make test      set up, then run the tests"
	@echo "make quick     the same without the slow tests"
	@echo "make install   set up only; the command is then $(BIN)/triglot"
	@echo "make lint      ruff and the floors (import-linter)"
	@echo "make types     pyright"
	@echo "make docs      the documentation, strictly, into site/"
	@echo "make clean     remove .venv and whatever was built; runs/ stays"
	@echo "Variables: PYTHON, TORCH_INDEX, WHEELS, UV, ARGS (see the top of the Makefile)"

$(BIN)/.installed: pyproject.toml constraints.txt tools/setup.sh $(CHOICE)
	@$(SETUP) -e ".[all,test]"
	@touch $@

$(BIN)/.installed-dev: $(BIN)/.installed
	@$(SETUP) -e ".[all,test,dev,docs]"
	@touch $@

install: $(BIN)/.installed

demo: install
	@$(BIN)/triglot demo $(ARGS)

test: install
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

quick: install
	@$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" $(ARGS)

lint: $(BIN)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache

types: $(BIN)/.installed-dev
	@$(BIN)/pyright --pythonpath $(BIN)/python triglot

docs: $(BIN)/.installed-dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf .venv build dist site .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find triglot tests -name __pycache__ -type d -prune -exec rm -rf {} +
