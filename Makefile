PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-long lint clean

demo: .venv/.base
	$(BIN)/qjax train --preset exact --baselines --plot

test: .venv/.dev lint
	$(BIN)/python -m pytest -n auto -m "not long"

test-long: .venv/.dev
	$(BIN)/python -m pytest -n auto -m "long"

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

# One environment serves both: the second adds the tools to the first.
.venv/.base: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with 'make PYTHON=python3.12'."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.dev: .venv/.base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis
