# make run   set up and execute the main job: train, evaluate, search, report -> runs/quickstart
# make test  set up and run the tests (with CI=true also the slow ones)
# make lab   open the notebooks in JupyterLab
# make docs  build the documentation -> build/site/index.html
# make lint  ruff and mypy;  make notebooks  refresh the committed outputs;  make pretrain  make the bundled model again

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
SLOW := $(if $(CI),--slow,)
# Slow tests wait for browsers, schedulers and killed processes a fifth of the time: a third worker uses that.
WORKERS := $(if $(CI),3,2)

.PHONY: run test lab docs lint notebooks pretrain clean

run: $(VENV)/.ready
	$(BIN)/python -m tireid run notebooks/00_quickstart.ipynb --output-dir runs/quickstart

test: $(VENV)/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SLOW) -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=15 -rs

lab: $(VENV)/.ready
	$(BIN)/jupyter lab notebooks

docs: $(VENV)/.ready
	$(BIN)/python -m sphinx -b html -W --keep-going -q -d build/doctrees -c docs . build/site

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check tireid tests
	$(BIN)/mypy

notebooks: $(VENV)/.ready
	$(BIN)/python -m tireid.runner.refresh

pretrain: $(VENV)/.ready
	$(BIN)/python -m tireid pretrain --output-dir runs/pretrain --install

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache

# torch first, by its pinned version: an open range would take a build with several gigabytes of CUDA libraries.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,docs,dev]'
	touch $@
