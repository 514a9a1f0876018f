# make demo   trains, explains, writes a page        make test   checks everything
# Both make their own virtual environment in .venv and need nothing but Python 3.11+ and the package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)/.ready-for-tests
# compiled loops and tokenizer rules are kept in the clone, as all else that make leaves
export TEXTLRP_CACHE_DIR ?= $(CURDIR)/$(VENV)/cache
export MPLCONFIGDIR ?= $(CURDIR)/$(VENV)/matplotlib
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all docs clean

demo: $(READY)
	$(BIN)/textlrp demo -o demo/report.html

test: $(TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 -m "not slow"

test-all: test
	$(BIN)/pytest -n 2 -m slow

docs: $(TOOLS)
	$(BIN)/pdoc -o docs/api textlrp $(addprefix textlrp.,bulk evaluation explainers.phrases lrp.composite lrp.rules store)
	@echo "the API reference is docs/api/index.html"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is wanted; name one: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $(READY)

$(TOOLS): $(READY)
	$(PIP) --editable ".[notebooks,paper,baselines,ray,skops,test,docs]"
	$(PIP) --no-deps zennit  # it asks for torchvision, which textlrp has no use for
	@touch $(TOOLS)

clean:
	rm -rf $(VENV) demo docs/api build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
