# make demo    two campaigns side by side: the full loop and its random control
# make test    all tests
# make lint    ruff and mypy
# make bench   every benchmark; each writes its record to docs/benchmarks/
# make clean   removes the virtual environment (campaign results are never touched)
#
# VENV=…   another place for the virtual environment        PYTHON=…  another interpreter (3.11 or later)
# TORCH=…  another build of torch, e.g. TORCH="torch==2.13.0" for the one with CUDA
# RUN=…    options of the demo's runs, e.g. RUN="--backend inline" where Ray does not start

VENV   ?= .venv
PYTHON ?= python3
TORCH  ?= torch==2.13.0+cpu
# Where PyTorch keeps its CPU builds; asked only when pip's own places have none.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

BIN       := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint bench install clean

demo: $(INSTALLED)
	$(BIN)/designloop run campaigns/quickstart.yaml $(RUN)
	$(BIN)/designloop run campaigns/quickstart_random.yaml $(RUN)
	$(BIN)/designloop compare campaigns/quickstart.yaml campaigns/quickstart_random.yaml

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadgroup

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/designloop benchmark all

install: $(INSTALLED)

# The stamp is younger than what it was made from: a second call installs nothing.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "designloop needs Python 3.11 or later; say which: make PYTHON=python3.12 …"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$(TORCH)" || $(BIN)/python -m pip install --quiet "$(firstword $(subst +, ,$(TORCH)))" --index-url $(TORCH_INDEX)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV)
