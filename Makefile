# Both commands need only Python 3.11 or newer, make and git; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow lint clean

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

demo: .venv/installed  ## the whole job on the embedded photos: records, training, eval, export, tags
	$(BIN)/python main.py --mode=demo

test: .venv/installed  ## the test suite
	$(BIN)/python -m pytest

slow: .venv/installed  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

lint: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf .venv demo_run build dist *.egg-info
