# `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help install demo demo-explanations test test-fast test-lowest constraints-lowest crash fuzz mutate lint \
	typecheck format bench bench-gpu dist docs clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DOCS_INSTALLED := $(VENV)/.installed-docs
LOWEST ?= .venv-lowest
LOWEST_BIN := $(LOWEST)/bin
LOWEST_INSTALLED := $(LOWEST)/.installed
FUZZ_MINUTES ?= 10
comma := ,
# Without a tracker: it would bring protobuf, which the trainers must do without.
LOWEST_EXTRAS := train,media,explain,test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## virtual environment with everything, at the versions of constraints.txt
	@echo "Installed. First, in every new shell: source $(BIN)/activate"

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

# The page in a browser is left out: the lowest Gradio is the newest one, and `make test` has it.
test-lowest: $(LOWEST_INSTALLED) ## dataset, metric and trainer tests with the lowest versions that pyproject.toml allows
	$(LOWEST_BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow' tests/iemomecp_dataset tests/metrics tests/trainers \
		--ignore tests/trainers/app --ignore tests/iemomecp_dataset/commands/test_app.py

$(LOWEST_INSTALLED): pyproject.toml constraints-lowest.txt
	test -x $(LOWEST_BIN)/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST_BIN)/python -m pip install --quiet $$(grep '^torch==' constraints-lowest.txt)
	$(LOWEST_BIN)/python -m pip install --quiet --constraint constraints-lowest.txt --editable '.[$(LOWEST_EXTRAS)]'
	touch $@

# rouge-score has no wheel. What torch's builds for graphics cards need is left out, as of constraints.txt.
constraints-lowest: ## renew constraints-lowest.txt from pyproject.toml, with uv
	test -x .build/uv/bin/uv || $(PYTHON) -m venv .build/uv
	.build/uv/bin/python -m pip install --quiet uv
	.build/uv/bin/uv pip compile pyproject.toml $(foreach extra,$(subst $(comma), ,$(LOWEST_EXTRAS)),--extra $(extra)) \
		--resolution lowest-direct --python-version 3.11 --only-binary :all: --no-binary rouge-score \
		--no-annotate --quiet --custom-compile-command 'make constraints-lowest' --output-file .build/lowest.txt --upgrade
	grep -Ev '^(nvidia-|cuda-|triton=)' .build/lowest.txt > constraints-lowest.txt

mutate: $(INSTALLED) ## wiring mistakes made on purpose, one at a time: prints those that no fast test notices
	$(BIN)/python scripts/mutate.py --jobs 2

crash: $(INSTALLED) ## commands killed, cut off from power or denied disk before every file event: the same bits (hours)
	$(BIN)/python tests/crash/crash_trials.py

fuzz: $(INSTALLED) ## damaged files for every reader, FUZZ_MINUTES=10 in total: refused, read as they stand, or a finding
	$(BIN)/python tests/fuzz/run.py --minutes $(FUZZ_MINUTES)

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

bench-gpu: $(INSTALLED) ## the same on one GPU, in seven minutes; SMOKE=1 tries the code on the CPU
	$(BIN)/python scripts/bench_gpu.py $(if $(SMOKE),--smoke)

docs: $(DOCS_INSTALLED) ## the documentation as a website: strict, notebooks executed, links checked
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet --jobs auto \
		-d .build/docs/doctrees docs .build/docs/html
	@echo "Open $(CURDIR)/.build/docs/html/index.html"

$(DOCS_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

dist: $(INSTALLED) ## source archive and wheel, as they would be published, checked
	rm -rf build dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

clean: ## remove what the targets made, the virtual environment included
	rm -rf $(VENV) $(LOWEST) .nox .build build dist demo_output demo_explanations *.egg-info
