# Each target sets up what it needs in .venv first: nothing to install by hand beyond Python 3.10+, git and make.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint lab evaluate videos bench torture clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s%s\n", $$1, $$2 }' Makefile

setup:  ## make .venv with all that the library needs
	@$(PYTHON) .ci/setup.py run

demo: setup  ## index the sample library, search it three ways, write build/demo.html
	@$(BIN)/python data/demo.py

test: lint  ## check the style and run every test
	$(BIN)/python -m pytest -q --durations=10

lint:  ## check the style alone
	@$(PYTHON) .ci/setup.py test
	$(BIN)/ruff check
	$(BIN)/ruff format --check

lab:  ## open the notebooks in JupyterLab
	@$(PYTHON) .ci/setup.py lab
	$(BIN)/jupyter lab notebooks

evaluate: setup  ## measure the tiny model, write build/evaluate.json
	@$(BIN)/python data/evaluate.py

videos: setup  ## measure moments on drawn films with known events, write build/videos.json
	@$(BIN)/python tests/benchmarks/videos.py

bench:  ## measure speed beside bare operations, open_clip and the paper's way, write build/bench/
	@$(PYTHON) .ci/setup.py open_clip
	@$(BIN)/python tests/benchmarks/cached_search.py
	@$(BIN)/python tests/benchmarks/bench.py $(BENCH)

torture: setup  ## kill, starve, damage and race the index on purpose, write build/torture.json
	@PYTHONPATH=. $(BIN)/python tests/torture.py

clean:  ## remove everything made here: .venv, build and caches
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
