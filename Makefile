# On a fresh machine with Python 3.11+ these two targets are all the set-up there is:
#   make demo   creates .venv, installs the core with pictures, names an action and draws it (demo_output/)
#   make test   creates .venv, installs the development tools, runs the whole test suite
# PIP_FLAGS is handed to every pip install, for example to choose another PyTorch build:
#   make demo PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= python3
VENV ?= .venv
PIP_FLAGS ?=
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_FLAGS)
# One thread: small models are faster so, and results do not depend on the number of cores.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
# Two test processes; the tests of one file stay together, they share what they prepare.
WORKERS ?= 2
PYTEST = $(ONE_THREAD) HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
# The environment of every extra: 7.5 GB, three minutes. Its torch is the one that the newest torchvision is built for.
ALL_VENV ?= .venv-all
ALL_TORCH ?= 2.14.1
ALL_INSTALL = $(ALL_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c $(ALL_VENV)/constraints.txt $(PIP_FLAGS)
CORE_FOLDERS := $(addprefix tests/,hub intervals models pipelines poses processing skeletons visualization)

.PHONY: demo test test-core check-extras style quality types bench clean

demo: $(VENV)/.demo
	$(ONE_THREAD) HF_HUB_OFFLINE=1 $(BIN)/python examples/quickstart.py --output_dir demo_output

test: $(VENV)/.dev
	$(PYTEST)

# With every optional package hidden: the core must not need them. Only the tests of what a user calls; that no module
# imports an optional package at its top is read from the source of all of them by tests/test_imports.py.
test-core: $(VENV)/.dev
	MOTIONHUB_WITHOUT_EXTRAS=1 $(PYTEST) -m "not slow" $(wildcard tests/test_*.py) $(CORE_FOLDERS)

# `pip install "motionhub[all]"` as a user says it, in a new environment, and what exports models: nothing contradicts another
# package, all can be imported into one process, and poses are found beside all of them.
check-extras:
	$(PYTHON) -m venv --clear $(ALL_VENV)
	sed "s/^torch==.*/torch==$(ALL_TORCH)/" constraints.txt > $(ALL_VENV)/constraints.txt
	$(ALL_INSTALL) ".[all]" onnx onnxscript
	$(ALL_VENV)/bin/python -m pip check
	$(ALL_INSTALL) pytest
	$(ONE_THREAD) HF_HUB_OFFLINE=1 $(ALL_VENV)/bin/python -m pytest tests/test_extras.py tests/poses/test_estimators.py tests/visualization/test_overlay.py

style: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

quality: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(ONE_THREAD) $(BIN)/python benchmarks/unik_forward.py
	$(ONE_THREAD) $(BIN)/python benchmarks/unik_train_step.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "motionhub needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another one: make demo PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: setup.cfg constraints.txt | $(BIN)/python
	$(INSTALL) -e ".[viz]"
	@touch $@

$(VENV)/.dev: setup.cfg constraints.txt | $(BIN)/python
	$(INSTALL) -e ".[dev]"
	$(BIN)/python -m pip check
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) $(ALL_VENV) demo_output build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
