# Both commands need only Python 3.11, 3.12 or 3.13, make and git; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
# Building graphs keeps one core busy, so there are two processes. Files go to them in the order of tests/conftest.py.
SUITE := -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

.PHONY: demo test slow beam lowest lint wheel clean

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

demo: .venv/installed  ## the whole job on the embedded photos: records, training, eval, export, tags
	$(BIN)/python main.py --mode=demo

test: .venv/installed  ## the test suite
	$(BIN)/python $(SUITE)

slow: .venv/installed  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

# Apache Beam lowers protobuf and pyarrow, so it gets an environment of its own.
beam:  ## the tests of --runner=beam, on a cluster of processes too
	$(PYTHON) -m venv .venv-beam
	.venv-beam/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test,beam,dask]'
	.venv-beam/bin/python -m pytest -m 'slow or not slow' tests/records/runners tests/records/beam \
		tests/tagger/tagging/test_cluster.py

lowest:  ## the test suite with the lower end of every dependency's range, on Python 3.11
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --constraint tests/constraints-lowest.txt \
		--editable '.[test]'
	.venv-lowest/bin/python $(SUITE)

.venv/lint-installed: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

lint: .venv/lint-installed  ## style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

wheel:  ## the wheel, in dist/, installed into an environment of its own where it runs the demo
	rm -rf build dist .venv-wheel
	$(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet --disable-pip-version-check dist/tagger-*.whl
	cd .venv-wheel && bin/tagger --help && bin/tagger --mode=demo

clean:
	rm -rf .venv .venv-beam .venv-lowest .venv-wheel demo_run build dist *.egg-info
