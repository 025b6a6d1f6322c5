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
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[$(EXTRAS)]"
	touch $@

clean:
	rm -rf .venv results/store results/demo
