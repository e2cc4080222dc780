# Everything a fresh machine needs: Python 3.11 or later, make and the package registries.
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
PHOTO  ?=
OUT    ?= demo

.DEFAULT_GOAL := help
.PHONY: help demo serve test lint types tests slow size clean

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A stamp file per set of packages, so that a second call starts at once.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable ".[eval]"
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@ $(VENV)/demo.stamp $(VENV)/serve.stamp

# The viewer that tests/test_archive_viewer.py opens tiles in; without npm that test is skipped.
VIEWER := openseadragon@6.1.1
$(VENV)/viewer.stamp: Makefile | $(BIN)/python
	@if command -v npm >/dev/null; then mkdir -p $(VENV)/viewer \
	  && (cd $(VENV)/viewer && npm pack --silent $(VIEWER) >/dev/null && tar xzf openseadragon-*.tgz); \
	else echo "npm is missing: tiles are not tested in a viewer"; fi
	@touch $@

$(VENV)/serve.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable ".[server]"
	@touch $@

demo: $(VENV)/demo.stamp ## colorize sample pictures, or yours: make demo PHOTO=path
ifeq ($(PHOTO),)
	@$(BIN)/python examples/sample_pictures.py "$(OUT)"
	@$(BIN)/tintype colorize "$(OUT)/grey" -o "$(OUT)/colour" --overwrite
	@$(BIN)/tintype compare "$(OUT)/grey" --original "$(OUT)/original" -o "$(OUT)/before-after.png" --overwrite
else
	@mkdir -p "$(OUT)/colour"
	@$(BIN)/tintype colorize "$(PHOTO)" -o "$(OUT)/colour" --overwrite
	@$(BIN)/tintype compare "$(PHOTO)" -o "$(OUT)/before-after.png" --overwrite
endif
	@echo "The results are in $(OUT)/colour, before and after side by side in $(OUT)/before-after.png"
	@echo "The page: make serve, which opens it in the browser"

serve: $(VENV)/serve.stamp ## open the page in the browser
	@$(BIN)/tintype serve --open

test: lint types tests ## set up, lint, check types, run the tests

lint: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

tests: $(VENV)/dev.stamp $(VENV)/viewer.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 20

slow: $(VENV)/dev.stamp $(VENV)/viewer.stamp ## run the tests, the slow ones included
	$(BIN)/python -m pytest --runslow

size: $(BIN)/python ## build the wheel, install it alone, print its size on disk
	sh .ci/size "$(PYTHON)"

clean: ## remove everything that make built
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
