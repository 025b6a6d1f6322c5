PYTHON ?= python3
EXTRAS ?= demo,mteb,test
BIN := .venv/bin

.PHONY: demo test kills faults bench clean

demo: .venv/installed
	$(BIN)/qre sweep jobs/demo.yaml

test: .venv/installed
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# 20 kills at random moments: no finished unit is lost and no number changes (about ten minutes)
kills: .venv/installed
	$(BIN)/python tests/faults/kill_sweep.py --kills 20

# a table of faults: what each loses, what is done again, how soon it goes on (about ten minutes)
faults: .venv/installed
	$(BIN)/python tests/faults/table.py

bench: .venv/installed
	$(BIN)/python tests/benchmarks/features.py
	$(BIN)/python tests/benchmarks/encoding.py
	$(BIN)/python tests/benchmarks/protocol.py

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
