# Each target sets up what it needs in .venv first: nothing to install by hand beyond Python 3.10+, git and make.
PYTHON ?= python3
BIN := .venv/bin
# What `make app` serves: the tiny model for the sample library, OpenAI's for your own photos.
FOLDER ?= data/sample
MODEL ?= $(if $(filter data/sample,$(FOLDER)),tiny,ViT-B/32)
PORT ?= 8866
# A photo given to a search box is one message, and servers take 10 MB unless they are told otherwise.
LARGE := {"websocket_max_message_size": 200000000}

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-colab test-lowest lint lab app screens page evaluate videos thresholds realclip bench encoders torture phone clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s%s\n", $$1, $$2 }' Makefile

setup:  ## make .venv with all that the library needs
	@$(PYTHON) .ci/setup.py run

demo: setup  ## index the sample library, search it three ways, write build/demo.html
	@$(BIN)/python data/demo.py

test: lint  ## check the style and run every test
	$(BIN)/python -m pytest -q --durations=10

test-colab:  ## run the widget, media and store tests and two notebooks on the versions that Colab ships
	@$(PYTHON) .ci/setup.py test
	@$(PYTHON) .ci/pinned.py colab
	.venv-colab/bin/python -m pytest -q -p no:cacheprovider --durations=5 tests/widgets/test_plain.py \
		tests/media/test_photo.py tests/cache/test_store.py tests/test_notebooks.py \
		-k "not runs_from_top or 03_text_to_image or 05_text_to_video"
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/test_browser_elsewhere.py -k 7

test-lowest:  ## run the store, media and index tests on the lowest versions that are declared
	@$(PYTHON) .ci/setup.py test
	@$(PYTHON) .ci/pinned.py lowest
	.venv-lowest/bin/python -m pytest -q -p no:cacheprovider --durations=5 tests/cache/test_format.py \
		tests/cache/test_store.py tests/media/test_photo.py tests/media/test_video.py tests/index/test_update.py

lint:  ## check the style, the docstrings and the types
	@$(PYTHON) .ci/setup.py lab test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

lab:  ## open the notebooks in JupyterLab
	@$(PYTHON) .ci/setup.py lab
	$(BIN)/jupyter lab notebooks --ServerApp.tornado_settings='$(LARGE)'

app: export CLIPLIB_FOLDER = $(FOLDER)
app: export CLIPLIB_MODEL = $(MODEL)
app:  ## search in the browser; FOLDER=~/Pictures for your own photos, MODEL=ViT-L/14, PHONE=1 for phones at home
	@$(PYTHON) .ci/setup.py run $(if $(PHONE),phone)
	@$(BIN)/python -m cliplib index "$$CLIPLIB_FOLDER" --model "$$CLIPLIB_MODEL"
	@$(BIN)/python -m cliplib.widgets.server "$$CLIPLIB_FOLDER" --model "$$CLIPLIB_MODEL" --port $(PORT) $(if $(PHONE),--phone)

page:  ## measure the search page in a browser: speed, memory, accessibility; write build/page.json
	@$(PYTHON) .ci/setup.py lab test
	@$(BIN)/python -m tests.benchmarks.page

screens:  ## photograph the notebooks and the app in a real browser, write build/screens/
	@$(PYTHON) .ci/setup.py lab test
	@$(BIN)/python -m tests.harness.screens

evaluate: setup  ## measure the tiny model, write build/evaluate.json
	@$(BIN)/python -m data.evaluation.evaluate

videos: setup  ## measure moments on drawn films with known events, write build/videos.json
	@$(BIN)/python -m tests.benchmarks.videos

thresholds: setup  ## compare the threshold rules on the drawn world, write build/thresholds.json
	@$(BIN)/python -m data.thresholds.experiments

realclip: setup  ## measure the match on recordings of the real CLIP, where they are, write build/realclip.json
	@$(BIN)/python -m data.match.realclip

bench:  ## measure speed beside bare operations, open_clip and the paper's way, write build/bench/
	@$(PYTHON) .ci/setup.py open_clip
	@$(BIN)/python -m tests.benchmarks.cached_search
	@$(BIN)/python -m tests.benchmarks.bench $(BENCH)
	@$(BIN)/python -m tests.benchmarks.boxes

encoders:  ## every family of models with random weights against its own package; write build/encoders.json
	@$(PYTHON) .ci/setup.py open_clip test
	@$(BIN)/python -m tests.harness.encoders $(FAMILIES)

torture:  ## kill, starve, damage and race the index on purpose, write build/torture.json
	@$(PYTHON) .ci/setup.py test
	@$(BIN)/python -m tests.harness.torture

phone: setup  ## a drawn Takeout, a slow mount, a class of thirty; write build/phone.json
	@$(BIN)/python -m tests.harness.phone

clean:  ## remove everything made here: .venv, build and caches
	rm -rf .venv .venv-colab .venv-lowest build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
