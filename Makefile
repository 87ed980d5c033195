# On a fresh machine with Python 3.11+ these two targets are all the set-up there is:
#   make demo   creates .venv, installs the core with pictures, names an action and draws it (demo_output/)
#   make test   creates .venv, installs the development tools, runs the whole test suite
# make test-towers runs what needs timm, open_clip or torchvision, in an environment of its own (7.5 GB, once a machine).
# PIP_FLAGS is handed to every pip install, for example to choose another PyTorch build:
#   make demo PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= python3
VENV ?= .venv
PIP_FLAGS ?=
BIN := $(VENV)/bin
# The versions that are tested; `make test CONSTRAINTS= PIP_FLAGS=--upgrade` takes the newest that setup.cfg allows.
CONSTRAINTS ?= -c constraints.txt
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) $(PIP_FLAGS)
# One thread: small models are faster so, and results do not depend on the number of cores.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
# Two test processes; the tests of one file stay together, they share what they prepare.
WORKERS ?= 2
PYTEST = $(ONE_THREAD) HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
CORE_FOLDERS := $(addprefix tests/,cli intervals pipelines poses processing skeletons visualization)

# The environment of every extra (and of what exports models), as `pip install "motionhub[all]"` gives it: 7.5 GB, three minutes.
# The `towers` among them need another torch (constraints-towers.txt). It lies in the user's cache, in a folder named by a checksum
# of what it holds, is made once and serves every checkout; .venv-towers is those packages and this checkout.
TOWERS_PYTHON ?= $(PYTHON)
TOWERS_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/motionhub
TOWERS_HOLDS = { sed -n '/^install_requires/,/^$$/p; /^\[options.extras_require\]/,$$p' setup.cfg; \
	cat constraints.txt constraints-towers.txt; $(TOWERS_PYTHON) -c 'import sys; print(sys.version, sys.base_prefix)'; }
TOWERS_VENV ?= $(TOWERS_CACHE)/towers-$(shell $(TOWERS_HOLDS) | cksum | cut -d' ' -f1)

.PHONY: demo docs fuzz test test-core test-elsewhere test-towers towers web test-web test-app check-extras clean-towers wheel test-wheel style quality types bench clean

demo: $(VENV)/.demo
	$(ONE_THREAD) HF_HUB_OFFLINE=1 $(BIN)/python examples/quickstart.py --output_dir demo_output

# A test that is skipped for a package, or for any reason that tests/conftest.py does not allow, is a failure.
test: $(VENV)/.dev
	$(PYTEST) --strict-skips

# With every optional package hidden: the core must not need them. Only the tests of what a user calls; that no module
# imports an optional package at its top is read from the source of all of them by tests/test_imports.py.
test-core: $(VENV)/.dev
	MOTIONHUB_WITHOUT_EXTRAS=1 $(PYTEST) -m "not slow" $(wildcard tests/test_*.py) $(CORE_FOLDERS)

# What computes, a second time as on another machine: the oldest instructions, another time zone, no locale, a home that cannot be
# written, spaces in the temporary folder, files in another order, two threads.
ELSEWHERE := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 TZ=Asia/Kathmandu LC_ALL=C HOME=/nonexistent/home \
	OMP_NUM_THREADS=2 MKL_NUM_THREADS=2 HF_HUB_OFFLINE=1 PYTHONPATH=tests
test-elsewhere: $(VENV)/.dev
	folder="$$(mktemp -d)/folder of ours" && mkdir "$$folder" && env $(ELSEWHERE) TMPDIR="$$folder" $(BIN)/python -m pytest \
		-n $(WORKERS) --dist loadfile -m "not slow" -p other_machine -p no:cacheprovider $(addprefix tests/,models nn training processing)

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

# Readers on damaged and exaggerated files, in limited memory: a table of files, findings, worst time and worst memory.
# A long run: make fuzz SECONDS=36000 FUZZ="--seed 1 --files 100000 --keep findings --report fuzz.txt --progress fuzz.json"
SECONDS ?= 60
fuzz: $(VENV)/.dev
	$(ONE_THREAD) HF_HUB_OFFLINE=1 $(BIN)/python tests/fuzz/run.py --seconds $(SECONDS) $(FUZZ)

test-towers: towers
	$(ONE_THREAD) HF_HUB_OFFLINE=1 .venv-towers/bin/python -m pytest -m towers --with-towers --strict-skips

# The page for the browser as a static folder, build/web: for GitHub Pages or a Space, and `motionhub web`. It needs node and npm.
# WEB_CHECKPOINT names another zero-shot checkpoint; WEB_TOWER= leaves out the language model (46 MB), for words beyond the bank.
WEB_CHECKPOINT ?= hub_configs/tmor-small
WEB_TOWER ?= --tower
WEB_PYTHON ?= $(BIN)/python
CHROMIUM ?= /usr/bin/chromium
web: $(if $(filter $(BIN)/python,$(WEB_PYTHON)),$(VENV)/.dev)
	$(ONE_THREAD) HF_HUB_OFFLINE=1 $(WEB_PYTHON) -m motionhub.cli.main export "$(WEB_CHECKPOINT)" -o build/web_export --num_clips 8
	$(ONE_THREAD) HF_HUB_OFFLINE=1 $(WEB_PYTHON) web/model_folder.py build/web_export build/web_model \
		--name "$(notdir $(WEB_CHECKPOINT))" $(WEB_TOWER)
	cd web && npm ci --no-audit --no-fund && npm run build

# The modules of the page in node, then the page in headless Chromium against the pipelines of Python, then its server.
# With MOTIONHUB_SHARED also a video, and a camera that shows one.
VIDEOS := $(MOTIONHUB_SHARED)/videos
test-web: web
	rm -rf build/web_test && mkdir -p build/web_test
	cd web && node --test test/processor.test.js test/readers.test.js test/scoring.test.js
	$(ONE_THREAD) HF_HUB_OFFLINE=1 $(WEB_PYTHON) web/test/reference.py "$(WEB_CHECKPOINT)" build/web_test/reference
	if test -d "$(VIDEOS)"; then $(WEB_PYTHON) web/test/fake_camera.py "$(VIDEOS)/stgcn_ta_chi.mp4" build/web_test/camera.y4m; fi
	cd web && PYTHON="$(abspath $(WEB_PYTHON))" CHROMIUM="$(CHROMIUM)" PAGE="$(CURDIR)/build/web" REFERENCE="$(CURDIR)/build/web_test/reference" \
		CAMERA="$$(ls "$(CURDIR)"/build/web_test/camera.y4m 2>/dev/null)" VIDEO="$(wildcard $(VIDEOS)/p2s_multi_cam01.mp4)" \
		node --test --test-concurrency=1 test/page.e2e.js

# The page of `motionhub app` in headless Chromium, by the environment of every extra. It needs node and npm.
APP_PYTHON ?= .venv-towers/bin/python
test-app: $(if $(filter .venv-towers/bin/python,$(APP_PYTHON)),towers)
	rm -rf build/app_test && $(ONE_THREAD) $(APP_PYTHON) web/test/app_files.py build/app_test
	truncate -s 2G build/app_test/large.mp4
	cd web && npm install --no-audit --no-fund
	cd web && $(ONE_THREAD) HF_HUB_OFFLINE=1 PYTHON="$(abspath $(APP_PYTHON))" CHROMIUM="$(CHROMIUM)" FILES="$(CURDIR)/build/app_test" \
		LARGE="$(CURDIR)/build/app_test/large.mp4" VIDEO="$(wildcard $(VIDEOS)/p2s_multi_cam01.mp4)" \
		node --test --test-concurrency=1 test/app.e2e.js

# Made under another name and renamed when whole, so that nobody takes a part of it; of two makers one is kept.
towers:
	@test -d "$(TOWERS_VENV)" || { set -e; mkdir -p "$(TOWERS_CACHE)"; \
	new=$$(mktemp -d "$(TOWERS_VENV).XXXXXX"); trap 'rm -rf "$$new"' EXIT; \
	echo "making $(TOWERS_VENV) (some minutes, 7.5 GB; once)"; \
	$(TOWERS_PYTHON) -m venv "$$new"; \
	{ grep -v '^torch==' constraints.txt; cat constraints-towers.txt; } > "$$new/constraints.txt"; \
	"$$new/bin/python" -m pip install --quiet --disable-pip-version-check -c "$$new/constraints.txt" $(PIP_FLAGS) \
		".[all]" onnx onnxscript 'setuptools>=77' pytest hypothesis; \
	"$$new/bin/python" -m pip check; \
	"$$new/bin/python" -m pip uninstall --quiet --yes motionhub; \
	"$$new/bin/python" -c 'import os, sys; os.rename(*sys.argv[1:])' "$$new" "$(TOWERS_VENV)" || test -d "$(TOWERS_VENV)"; }
	@rm -rf .venv-towers
	@"$(TOWERS_VENV)/bin/python" -m venv --without-pip .venv-towers
	@"$(TOWERS_VENV)/bin/python" -c 'import sys, sysconfig; print(f"import site; site.addsitedir({sysconfig.get_path(sys.argv[1])!r})")' purelib \
		> "$$(.venv-towers/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/towers.pth"
	@"$(TOWERS_VENV)/bin/python" -m pip --python .venv-towers/bin/python install --quiet --disable-pip-version-check \
		--no-build-isolation -e .

# Nothing contradicts another package, all can be imported into one process, and poses are found beside all of them.
check-extras: towers
	"$(TOWERS_VENV)/bin/python" -m pip --python .venv-towers/bin/python check
	$(ONE_THREAD) HF_HUB_OFFLINE=1 .venv-towers/bin/python -m pytest tests/test_extras.py tests/poses/test_estimators.py \
		tests/visualization/test_overlay.py

clean-towers:
	rm -rf .venv-towers "$(TOWERS_CACHE)"/towers-*

# Every block of every page is run and what it prints compared; then the site is built, where a broken link is an error.
docs: $(VENV)/.dev
	$(ONE_THREAD) HF_HUB_OFFLINE=1 $(BIN)/python docs/run_pages.py --jobs $(WORKERS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --site-dir build/site

style: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

quality: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell

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
	rm -rf $(VENV) .venv-towers web/node_modules demo_output build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
