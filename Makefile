# `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help install demo demo-explanations test test-fast mutate lint typecheck format bench docs clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DOCS_INSTALLED := $(VENV)/.installed-docs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## virtual environment with everything, at the versions of constraints.txt

# torch comes first and by exact version, so that no other package's range picks a larger build.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed; found $$($(PYTHON) --version). Set PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $$(grep '^torch==' constraints.txt)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(INSTALLED) ## synthetic corpus, training, scores, HTML report: the whole package in minutes
	$(BIN)/python scripts/demo.py --output-dir demo_output

demo-explanations: $(INSTALLED) ## the same for written explanations: text alone, and with a vision tower and projector
	$(BIN)/python scripts/demo.py --task explanation --output-dir demo_explanations

test: $(INSTALLED) ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: $(INSTALLED) ## the suite without the tests marked slow
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow'

mutate: $(INSTALLED) ## wiring mistakes made on purpose, one at a time: prints those that no fast test notices
	$(BIN)/python scripts/mutate.py --jobs 2

lint: $(INSTALLED) ## ruff: style, docstrings, import order
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(INSTALLED) ## mypy, strict, on every room
	$(BIN)/mypy -p iemomecp_dataset

format: $(INSTALLED) ## rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## speed, as ratios against named alternatives measured in the same run
	$(BIN)/python scripts/bench.py

docs: $(DOCS_INSTALLED) ## the documentation as a website: strict, notebooks executed, links checked
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet --jobs auto -d .build/docs/doctrees docs .build/docs/html
	@echo "Open $(CURDIR)/.build/docs/html/index.html"

$(DOCS_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

clean: ## remove what the targets made, the virtual environment included
	rm -rf $(VENV) .build build dist demo_output demo_explanations *.egg-info
