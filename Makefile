PYTHON ?= python3
EXTRAS ?= demo,mteb,adapters,endpoints,test,check
BIN := .venv/bin

.PHONY: help demo shell test lint check docs kills faults bench clean

help:
	@echo "make demo     install into .venv, then map the built-in encoders into results/demo"
	@echo "make shell    a shell in which the command qre is found"
	@echo "make test     lint, types, and all tests"
	@echo "make check    the quick loop: format, lint, types, structure, the tests of the method"
	@echo "make docs     write docs/commands.md"
	@echo "make kills, make faults    end sweeps at random moments; a table of faults"
	@echo "make bench    benchmarks"
	@echo "make clean    remove .venv and what the demo made"

demo: .venv/installed
	$(BIN)/qre sweep jobs/demo.yaml
	@echo "the map as one page for your browser: $(CURDIR)/results/demo/atlas.html"
	@echo "the command is $(BIN)/qre; so that qre alone is found: source $(BIN)/activate, or make shell"

shell: .venv/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" VIRTUAL_ENV="$(CURDIR)/.venv" "$${SHELL:-/bin/sh}"

lint: .venv/installed
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

check: .venv/installed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses 2 -m "not cluster" tests/test_house.py tests/test_docs.py tests/qre/test_density.py tests/qre/test_features.py tests/qre/atlas tests/jobs/test_config.py tests/jobs/test_schedule.py

docs: .venv/installed
	$(BIN)/python -m typer jobs.commands utils docs --name qre --output docs/commands.md

test: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# 20 kills at random moments: no finished unit is lost and no number changes (about ten minutes)
kills: .venv/installed
	$(BIN)/python tests/faults/kill_sweep.py --kills 20

# a table of faults: what each loses, what is done again, how soon it goes on (about ten minutes)
faults: .venv/installed
	$(BIN)/python tests/faults/table.py

bench: .venv/installed
	$(BIN)/python tests/benchmarks/features.py
	$(BIN)/python tests/benchmarks/geometry.py
	$(BIN)/python tests/benchmarks/geometry.py --bias
	$(BIN)/python tests/benchmarks/pairs.py --encoders 64 --qutip
	$(BIN)/python tests/benchmarks/encoding.py
	$(BIN)/python tests/benchmarks/protocol.py
	$(BIN)/python tests/benchmarks/page.py

.venv/installed: pyproject.toml constraints.txt
	@echo "installing into .venv: torch, then Ray, transformers, pyarrow and some 100 more packages."
	@echo "Downloads (estimated): about 0.6 GB where pip finds a torch for CPUs; on Linux its usual build brings CUDA, about 3 GB in all."
	@echo "On disk: about 2.7 GB with a torch for CPUs, 7 GB with CUDA. What pip has in its cache is not downloaded again."
	$(PYTHON) -m venv .venv
	@echo "1 of 2: torch, by far the largest"
	$(BIN)/python -m pip install --constraint constraints.txt torch
	@echo "2 of 2: this project and all others"
	$(BIN)/python -m pip install --constraint constraints.txt --editable ".[$(EXTRAS)]"
	@touch $@
	@echo "installed: the command is $(BIN)/qre"

clean:
	rm -rf .venv results/store results/demo
