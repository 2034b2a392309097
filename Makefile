# make app [PORT=7860]   install on the first run, then open the page at http://127.0.0.1:PORT
# make test              install with the test tools, run the whole suite
# make check             formatting, lint, types, imports, spelling, and the help texts in README
# make help-texts        write the commands' help texts into README
# make format            let ruff format and mend what it can
#
# PYTHON=/path/to/python3.12  the interpreter to make the virtual environment from
# TORCH_INDEX=URL             take torch and torchvision from this package index, such as
#                             https://download.pytorch.org/whl/cpu for a machine without a GPU

PORT ?= 7860
VENV ?= .venv
PYTHON ?=
TORCH_INDEX ?=

# albumentations would ask the network for its newest version at each import.
export NO_ALBUMENTATIONS_UPDATE = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

BIN := $(VENV)/bin
# Stamps: newer than pyproject.toml means that what it asks for is installed.
APP := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.PHONY: app test check format help-texts clean
.DEFAULT_GOAL := app

app: $(APP)
	@$(BIN)/segnet-res app --port $(PORT) --data datasets --accept-annotations --runs runs

# Several processes (tests/conftest.py: how many), each with whole files; those of the browser last
# (tests/browser/conftest.py).
test: $(DEV)
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python scripts/readme_help.py --check

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

help-texts: $(DEV)
	$(BIN)/python scripts/readme_help.py

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@sh scripts/make_venv.sh "$(VENV)" "$(PYTHON)"

$(APP): pyproject.toml | $(BIN)/python
	@echo "Installing segnet_res into $(VENV); the first time this fetches several GB."
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --index-url $(TORCH_INDEX) torch torchvision)
	$(BIN)/python -m pip install --editable .
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	@echo "Installing segnet_res and its test tools into $(VENV); the first time this fetches several GB."
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --index-url $(TORCH_INDEX) torch torchvision)
	$(BIN)/python -m pip install --editable ".[dev]"
	@touch $(APP) $@
