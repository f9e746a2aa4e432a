# One environment in .venv, everything else runs from it. `make test` and `make demo` work on a fresh clone.
#   PYTHON       the interpreter the environment is made from
#   TORCH_INDEX  where the CPU build of torch lives; asked in one command only, and only without an NVIDIA GPU
#                (PyPI's own torch brings 2.7 GB of CUDA). Set it to nothing to use your pip configuration alone.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
VENV := .venv
BIN := $(VENV)/bin
TORCH := $(shell grep '^torch==' requirements.lock)
GPU := $(shell nvidia-smi -L 2>/dev/null)

.PHONY: setup check test slow long peers docs demo bench twin words
.DEFAULT_GOAL := test

setup: $(VENV)/.stamp

$(VENV)/.stamp: requirements.lock pyproject.toml
	@echo "Creating $(VENV) with $(PYTHON): about two minutes, once."
	$(PYTHON) -m venv $(VENV)
ifneq ($(GPU),)
	$(BIN)/pip install -qq $(TORCH)
else ifneq ($(TORCH_INDEX),)
	$(BIN)/pip install -qq --no-deps --retries 0 --extra-index-url $(TORCH_INDEX) $(TORCH) \
	  || $(BIN)/pip install -qq --no-deps $(TORCH)
else
	$(BIN)/pip install -qq --no-deps $(TORCH)
endif
	$(BIN)/pip install -qq -r requirements.lock
	$(BIN)/pip install -qq --no-deps --no-build-isolation -e .
	touch $@

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/prescreen check recipes/*/

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4

slow: setup
	$(BIN)/python -m pytest -m slow -o faulthandler_timeout=3600

# Servers of other people that some tests run against, by npm into .peers (PRESCREEN_PEERS); without a network they skip.
peers: setup
	PYTHONPATH=tests $(BIN)/python -m small_peers

long: setup
	$(BIN)/python -m pytest -m long -o faulthandler_timeout=3600

docs: setup
	$(BIN)/python docs/generate.py

demo: setup
	$(BIN)/prescreen run recipes/tiny

bench: setup
	$(BIN)/python benchmarks/training.py

# Pre-trains the tiny twin from nothing (about 15 minutes on two cores) and puts it into the package.
twin: setup
	$(BIN)/prescreen run recipes/twin
	cp runs/twin/03-export/model/model.safetensors runs/twin/03-export/model/config.json src/prescreen/model/twin/

words: setup
	$(BIN)/python -m prescreen.data.weighing
