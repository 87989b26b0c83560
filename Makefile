# Works on a bare machine with Python 3.11 or newer; everything it installs stays in .venv.

# The first interpreter that is new enough and can make a virtual environment; PYTHON=... names another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint clean

demo: .venv/.program
	.venv/bin/headroomd demo

test: .venv/.tools
	.venv/bin/pytest -n auto

lint: .venv/.tools
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

.venv/.program: pyproject.toml | .venv/bin/python
	$(PIP) --editable .
	@touch $@

.venv/.tools: pyproject.toml | .venv/bin/python
	$(PIP) --editable '.[dev]'
	@touch $@ .venv/.program

.venv/bin/python:
	@test -n '$(PYTHON)' || { echo 'headroomd needs Python 3.11 or newer with venv; set PYTHON=/path/to/python3.11'; exit 1; }
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
