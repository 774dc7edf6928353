# Each target sets up what it needs in .venv; `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
C_FILES := $(wildcard csrc/*/*.c csrc/*/*.h)
# What is written by hand: not the model and the recorded hours.
FIRMWARE_FILES := $(filter-out csrc/firmware/model/% csrc/firmware/replay/%,\
	$(wildcard csrc/firmware/*.cpp csrc/firmware/*/*.* csrc/platform/arduino/*.* csrc/platform/machines/*/*.[ch] \
	csrc/engine/examples/*/motion.[ch]))
# The engine is compiled when the package is installed, so a changed C file means installing again.
PACKAGE := pyproject.toml setup.py src/scratchml/_engine_build.py $(C_FILES)

# A worker on each core; a file's tests stay with one worker, which sets up once what they share.
# Files are handed out in order: sorted by their number of tests, the slowest would come last.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test sweep lint format firmware toolchain benchmark clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## set up, then train, quantize, export and verify the snow model
	$(BIN)/scratchml run

test: $(VENV)/.test ## set up, then run every test that this machine allows
	$(PYTEST) $(if $(filter true,$(CI)),-m '')

sweep: $(VENV)/.test ## the tests that take minutes; CI runs them with the others
	$(PYTEST) -m sweep

lint: $(VENV)/.lint ## check formatting, types and both languages' usual mistakes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $(C_FILES) $(FIRMWARE_FILES)
	@command -v cppcheck >/dev/null || { echo "cppcheck is not here; add it with: make toolchain"; exit 1; }
	cppcheck --quiet --std=c11 --enable=warning,style,performance,portability \
		--inline-suppr --suppress=unusedStructMember --error-exitcode=1 -I csrc/engine \
		-I csrc/firmware -I csrc/firmware/model $(filter %.c,$(C_FILES) $(FIRMWARE_FILES))

format: $(VENV)/.lint ## rewrite Python and C in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(C_FILES) $(FIRMWARE_FILES)

firmware: $(VENV)/.firmware ## build the weather station for both CPUs, run it in emulators
	$(BIN)/python tools/run_firmware.py

toolchain: ## install the compilers and checkers that the tests use (Debian, Ubuntu)
	tools/install_toolchain.sh

benchmark: $(VENV)/.test ## measure the figures in the README
	$(BIN)/python benchmarks/protocols.py
	$(BIN)/python benchmarks/exercises.py
	$(BIN)/python benchmarks/training_speed.py
	$(BIN)/python benchmarks/engine_cycles.py
	$(BIN)/python benchmarks/host_speed.py
	$(BIN)/python benchmarks/csv_reading.py

clean: ## delete the virtual environment and everything built
	rm -rf $(VENV) build dist .pio src/*.egg-info src/scratchml/_engine*.so

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "scratchml needs Python 3.10 or newer; choose one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "python3 cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.demo: $(PACKAGE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[pictures,oracle,cost,board]'
	@touch $@

$(VENV)/.test: $(PACKAGE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[pictures,oracle,litert,cost,board,firmware,test]'
	@touch $@ $(VENV)/.demo $(VENV)/.firmware

$(VENV)/.firmware: $(PACKAGE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[firmware]'
	@touch $@

$(VENV)/.lint: $(PACKAGE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[lint,test]'
	@touch $@
