# Both commands need only Python 3.11 or newer, make and git; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow beam lint clean

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

# Apache Beam lowers protobuf and pyarrow, so it gets an environment of its own.
beam:  ## the tests of --runner=beam
	$(PYTHON) -m venv .venv-beam
	.venv-beam/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test,beam]'
	.venv-beam/bin/python -m pytest tests/records/test_beam_runner.py

lint: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf .venv .venv-beam demo_run build dist *.egg-info
