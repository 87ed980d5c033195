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
# Without what it names but does not need for poses (jax, sounddevice): it says numpy<2 and works with 2.4 all the same.
MEDIAPIPE := mediapipe==0.10.21 absl-py attrs flatbuffers opencv-contrib-python-headless protobuf
# With the OpenCV above, not a second one.
SUPERVISION := supervision defusedxml pydeprecate
CORE_FOLDERS := $(addprefix tests/,hub intervals models pipelines poses processing skeletons visualization)

.PHONY: demo test test-core wheel test-wheel style quality types bench clean

demo: $(VENV)/.demo
	$(ONE_THREAD) HF_HUB_OFFLINE=1 $(BIN)/python examples/quickstart.py --output_dir demo_output

test: $(VENV)/.dev
	$(PYTEST)

# With every optional package hidden: the core must not need them. Only the tests of what a user calls; that no module
# imports an optional package at its top is read from the source of all of them by tests/test_imports.py.
test-core: $(VENV)/.dev
	MOTIONHUB_WITHOUT_EXTRAS=1 $(PYTEST) -m "not slow" $(wildcard tests/test_*.py) $(CORE_FOLDERS)

# The sdist, and of it the wheel, as a package index gets them.
wheel: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build

# As on a stranger's machine: an environment that has the wheel alone, a folder that has nothing, no network.
test-wheel: wheel
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && mkdir "$$folder/empty" && \
	$(PYTHON) -m venv "$$folder/venv" && \
	"$$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_FLAGS) dist/*.whl && \
	cd "$$folder/empty" && $(ONE_THREAD) HF_HOME="$$folder/hf" \
	"$$folder/venv/bin/python" -I "$(CURDIR)/tests/check_wheel.py" "$(CURDIR)"

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
	$(INSTALL) --no-deps $(MEDIAPIPE) $(SUPERVISION)
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) demo_output build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
