# Everything that is done with this project: `make help` lists it.
# Needed on the machine: Python 3.11 or newer, a C++20 compiler, make; Chromium for the tests of the report; for the page
# itself Node 20.19 or newer with npm, and Firefox ESR for its tests.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

# One process per core, each with one thread of NumPy and scikit-learn. Hundreds of tests start Python: where bytecode is
# not kept, each of them compiles the package again.
SETTINGS := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
PYTEST := $(SETTINGS) $(BIN)/pytest --numprocesses auto --dist worksteal
# The networks of a file are made once, for all its tests; the files with few long tests come early in the alphabet.
PEERS_PYTEST := $(SETTINGS) .venv-peers/bin/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Says what a quiet command does, and prints a dot every five seconds, so that nobody thinks it has stopped.
SAYING = say() { echo "$$1"; shift; (while sleep 5 && kill -0 $$$$ 2>/dev/null; do printf .; done) & dots=$$!; \
  "$$@"; code=$$?; kill $$dots; echo; return $$code; }; say

NODE_MODULES := web/node_modules/.package-lock.json

# A fresh environment is built when these change.
SOURCES := pyproject.toml CMakeLists.txt $(shell find native -type f 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help run test coverage mutants lowest-test lowest-extras-test interoperability-test native-test network-test wasm-test arm-test page page-engine page-test page-bench page-screenshots readme-picture size check style format docs notebooks fuzz faults peers bench results release wheels wheels-test clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

run: $(VENV)/.installed ## Train, measure, look inside, compare, report (ARGS="--seed 1" to change it).
	$(BIN)/convscope run $(ARGS)

test: $(VENV)/.test ## Install what the Python tests need and run all of them.
	@echo "Running the Python tests: four to eight minutes on two cores."
	$(PYTEST) $(ARGS)

coverage: $(VENV)/.measuring ## Measure which branches of the Python and the C++ their tests take, into build/coverage (ARGS="tests/cli" for a part).
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=html:build/coverage $(ARGS)
	native/tests/run.sh coverage
	$(BIN)/gcovr --root . --filter native/ --exclude native/tests/ --exclude-throw-branches --txt-metric branch \
	  --print-summary build/native-coverage/CMakeFiles/*.dir build/native-coverage/native

mutants: $(VENV)/.measuring ## Change single operators in the code that counts and reads, and see whether tests notice (ARGS="--count 20 readers").
	git diff --quiet -- src || { echo "src has changes that are not committed; commit them first"; exit 1; }
	$(BIN)/python fuzz/mutants.py $(ARGS)

LOWEST_EXTRAS := onnx parquet serve sklearn tensorboard
comma := ,
empty :=

lowest-test: .venv-lowest/.installed ## Test with the lowest versions that pyproject.toml allows: the main job, the service, the readers.
	.venv-lowest/bin/python -m pytest -o filterwarnings= --disable-warnings -m "not slow" tests/cli/test_main.py tests/cli/test_run.py \
	  tests/cli/test_serve.py tests/service/test_served.py tests/data/datasets/readers/test_parquet.py \
	  tests/export/onnx/test_writing.py tests/classifier/test_estimator.py \
	  tests/runs/tracking/test_tensorboard.py $(ARGS)

OTHER_EXTRAS := dask jax mlflow ray sweep tensorflow tflite torch

# The warnings of such old versions are not ours. Some tests start pytest themselves, so this is no argument.
lowest-extras-test: export PYTEST_ADDOPTS = -o filterwarnings= --disable-warnings
lowest-extras-test: .venv-lowest-extras/.installed ## The same for the other extras, in an environment of 3 GB: clusters, sweeps, Keras on its three backends, PyTorch, TFLite, MLflow.
	$(SETTINGS) .venv-lowest-extras/bin/python -m pytest --numprocesses auto --dist loadfile \
	  tests/experiment/test_executors.py tests/experiment/test_sweep.py tests/cli/test_sweep.py \
	  tests/interoperability/test_keras_backends.py \
	  tests/interoperability/test_keras_engine.py tests/interoperability/test_keras_export.py \
	  tests/interoperability/test_mlflow.py tests/interoperability/test_ray.py tests/interoperability/test_tflite.py \
	  tests/interoperability/test_torch_export.py tests/interoperability/test_torch_files.py $(ARGS)

native-test: ## Unit tests of the C++, with GCC and Clang, under the sanitizers too.
	native/tests/run.sh native

network-test: $(VENV)/.test ## Random networks against the reference under the sanitizers, on every instruction set (ARGS="--count 500").
	$(BIN)/python fuzz/networks.py --count 400 --seed 0 $(ARGS)

wasm-test: ## The same tests as WebAssembly under Node, where Clang's wasm32 libraries are installed.
	native/tests/run.sh wasm

arm-test: ## The same for ARM with NEON under QEMU, where Clang and ARM's libraries are installed.
	native/tests/run.sh arm

page: $(NODE_MODULES) ## Build the script and style of the page again, from web/ into src/convscope/report/bundle.
	cd web && npm run --silent build

page-engine: ## Build the engine of the page again, src/convscope/report/bundle/engine.wasm, from the C++.
	native/page.sh

page-test: $(VENV)/.installed $(NODE_MODULES) ## Test the page: style, types, units, the built files, and in Chromium and Firefox.
	cd web && npm run --silent check
	cd web && npm run --silent test
	web/tools/compare_bundle.sh
	cd web && npm run --silent browser

page-bench: build/page-report/mnist/report.html ## Time the page in Chromium and Firefox (ARGS="chromium" for one).
	cd web && node tools/bench.mjs ../$< $(ARGS)

page-screenshots: build/page-report/mnist/report.html ## Take pictures of the page, for people to look at, into build/page-report/screenshots.
	cd web && node tools/screenshots.mjs ../$< ../build/page-report/screenshots

readme-picture: build/page-report/mnist/report.html ## Take README's picture of the page again, in both themes, after a change of the page.
	cd web && node tools/readme_picture.mjs ../$< ../docs

size: $(VENV)/.installed ## Print how large each room and part is, beside its limit.
	$(BIN)/python .ci/size.py

check: style test lowest-test docs interoperability-test page-test native-test network-test wasm-test arm-test ## Formatting, lint, types, tests and docs (the tests hold the docs against the code).

style: $(VENV)/.test ## Formatting, lint and types.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

CODE = $(if $(ARGS),$(filter-out %.md,$(ARGS)),.)
PAGES = $(filter %.md,$(ARGS))

format: $(VENV)/.test ## Put the code and the prose of the pages into their standard form (ARGS="FILE FOLDER PAGE.md" for these alone).
	$(if $(CODE),$(BIN)/ruff check --fix $(CODE))
	$(if $(CODE),$(BIN)/ruff format $(CODE))
	$(if $(ARGS),$(if $(PAGES),$(BIN)/python docs/wrap.py $(PAGES)),$(BIN)/python docs/wrap.py)

interoperability-test: .venv-peers/.test ## Test against Keras on its three backends, PyTorch, TensorFlow, ONNX, MLflow and Ray themselves, and execute the notebooks that need Keras or train for long.
	$(PEERS_PYTEST) tests/interoperability $(ARGS)
	$(PEERS_PYTEST) tests/documentation -k "keras or pytorch or tflite or engines or exports"

docs: $(VENV)/.test .venv-docs/.installed ## Write docs/cli.md again, execute the code and the commands of the pages, and build the site into build/docs (ARGS=--check-links follows links to other sites).
	$(BIN)/python docs/generate.py
	$(PYTEST) tests/documentation
	.venv-docs/bin/python docs/build_site.py $(ARGS)

notebooks: .venv-peers/.test ## Execute the example notebooks and export them as dark HTML pages into build/.
	mkdir -p build && cp examples/*.ipynb build/
	.venv-peers/bin/python -m nbconvert --to html --execute --HTMLExporter.theme=dark build/*.ipynb

fuzz: .venv-fuzz/.installed ## Fuzz the readers of files, ten minutes an entry, then the engine with 10,000 networks a set (ARGS="--seconds 60 idx csv", ARGS="networks --count 500").
	.venv-fuzz/bin/python fuzz/run.py $(ARGS)

faults: $(VENV)/.installed ## Kill, signal and starve training jobs at 450 random moments, and each write of a small experiment once, and check that nothing is lost (ARGS="--kills 20", ARGS="--only 7").
	$(BIN)/python fuzz/faults.py $(ARGS)

peers: .venv-peers/.installed ## Install what the benchmarks compare with, in an environment of its own (3 GB).

bench: $(VENV)/.test .venv-peers/.installed ## Compare with the peers in turns and print the table (ARGS="--rows loops").
	$(BIN)/python benchmarks/compare.py $(ARGS)

results: $(VENV)/.test ## Measure the published results again and write the tables of README.md and docs/results.md (ARGS="accuracy" for a part).
	$(BIN)/python benchmarks/measure.py $(ARGS)

release: docs faults lowest-extras-test ## Check version, changelog, corpus, site, dist/ and tree before a release, and print what to tag, after tests that take an hour. Nothing is published.
	$(BIN)/python .ci/release.py

wheels: .venv-wheels/.installed ## Build the source distribution and the wheels of Linux into dist/, with Zig, and check them (ARGS="--only manylinux_2_17_x86_64").
	.venv-wheels/bin/python wheels/build_wheels.py $(ARGS)

wheels-test: $(VENV)/.installed ## Install the wheels of dist/ in fresh environments without a compiler, train, and compare with this build (ARGS="--python PATH").
	$(BIN)/python wheels/try_wheels.py $(ARGS)

clean: ## Remove the environments and everything built.
	rm -rf $(VENV) web/node_modules .venv-peers .venv-fuzz .venv-docs .venv-lowest .venv-lowest-extras .venv-wheels build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(NODE_MODULES): web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	touch $@

# A run of one epoch: its page trains one epoch at a press of the button.
build/page-report/mnist/report.html: $(VENV)/.installed $(NODE_MODULES) $(wildcard src/convscope/report/* src/convscope/report/bundle/*)
	rm -rf build/page-report/mnist
	$(BIN)/convscope run --recipe fast --out build/page-report/mnist

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@$(SAYING) "Making the environment $(VENV) with $(PYTHON)." $(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python $(SOURCES)
	@$(SAYING) "Installing convscope into $(VENV) and compiling its C++: two to five minutes." \
	  $(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.test: $(VENV)/bin/python $(SOURCES)
	@$(SAYING) "Installing convscope and what its tests need into $(VENV), and compiling the C++: two to five minutes." \
	  $(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/.installed

$(VENV)/.measuring: $(VENV)/.test
	$(BIN)/python -m pip install --quiet 'cosmic-ray>=8.3' 'gcovr>=8'
	touch $@

# Not all of the test extra, which would raise some of the versions: only what these tests import.
.venv-lowest/.installed: $(VENV)/.installed $(SOURCES) .ci/lowest.py
	$(PYTHON) -m venv .venv-lowest
	$(BIN)/python .ci/lowest.py pyproject.toml $(LOWEST_EXTRAS) > .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet --constraint .venv-lowest/lowest.txt \
	  --editable '.[$(subst $(empty) ,$(comma),$(LOWEST_EXTRAS))]' h5py httpx hypothesis jsonschema pytest
	touch $@

# Tests of PyTorch write ONNX files too; the lowest onnx is tested above, and wants an older protobuf than TensorFlow.
.venv-lowest-extras/.installed: $(VENV)/.installed $(SOURCES) .ci/lowest.py
	$(PYTHON) -m venv .venv-lowest-extras
	$(BIN)/python .ci/lowest.py pyproject.toml $(OTHER_EXTRAS) > .venv-lowest-extras/lowest.txt
	.venv-lowest-extras/bin/python -m pip install --quiet --constraint .venv-lowest-extras/lowest.txt \
	  --editable '.[$(subst $(empty) ,$(comma),$(OTHER_EXTRAS))]' h5py hypothesis jsonschema onnx onnxscript pytest pytest-xdist
	touch $@

.venv-fuzz/.installed: $(SOURCES)
	$(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/python -m pip install --quiet --editable '.[onnx,parquet]' atheris h5py
	touch $@

.venv-peers/.installed: benchmarks/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --requirement benchmarks/peers.txt
	touch $@

.venv-peers/.test: .venv-peers/.installed $(SOURCES)
	.venv-peers/bin/python -m pip install --quiet --editable '.[test]'
	touch $@

.venv-wheels/.installed: wheels/requirements.txt
	$(PYTHON) -m venv .venv-wheels
	.venv-wheels/bin/python -m pip install --quiet --requirement wheels/requirements.txt
	touch $@

.venv-docs/.installed: $(SOURCES)
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --editable '.[docs]'
	touch $@
