# Diantan: `make help` lists what there is to do.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find core -path core/fuzz -prune -o '(' -name '*.rs' -o -name Cargo.toml ')' -print)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo grid-demo replay garage chaos test test-rust test-python lint format bench bench-estimation wheel lock clean inspect-mutants

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP)-venv: requirements/dev.txt requirements/venv.sh
	@./requirements/venv.sh $(PYTHON) $(VENV)
	@echo "installing the pinned requirements"
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements/dev.txt
	@touch $@

$(STAMP)-build: $(STAMP)-venv pyproject.toml diantan_core.pyi $(RUST_SOURCES)
	@echo "building the Rust extension (a minute the first time)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP)-build ## create the environment from pinned, hash-checked requirements and build the Rust extension

demo: setup ## run one simulated day of a charging station (SESSIONS=FILE replays real sessions)
	$(BIN)/python -m demo $(if $(SESSIONS),--sessions $(SESSIONS)) $(DEMO_ARGS)

replay: setup ## replay weeks of real sessions with altered chargers, and judge who is flagged (SESSIONS=FILE ARGS="--days 21 --seed 2")
	$(BIN)/python -m demo.replay $(if $(SESSIONS),--sessions $(SESSIONS)) $(ARGS)

.power-flow/.stamp: $(STAMP)-venv requirements/power-flow.txt
	@echo "installing pandapower, in an environment of its own"
	@$(BIN)/python -m venv .power-flow
	@.power-flow/bin/pip install --quiet --require-hashes --requirement requirements/power-flow.txt
	@touch $@

grid-demo: setup .power-flow/.stamp ## run a day of the IEEE 118-bus network, from power flow to meters, and close its carbon books
	$(BIN)/python -m demo.grid $(GRID_DEMO_ARGS)

garage: setup ## estimate a real garage from its utility's meter and its orders (ARGS="--figure garage.svg")
	$(BIN)/python -m demo.garage $(ARGS)

chaos: setup ## kill, cut off and mislead real processes, then count every record (ROUNDS=3 SEED=1)
	$(BIN)/python -m chaos --rounds $(or $(ROUNDS),3) --seed $(or $(SEED),1) $(CHAOS_ARGS)

test: lint test-rust test-python ## run everything CI runs: lints, types, import contracts, Rust and Python tests

test-rust: setup
	cargo test --workspace --locked --quiet

# Long tests mostly wait for real processes: one more worker than the smallest machine has cores, and none that idles
# while another has a row of long tests before it.
test-python: setup
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal $(PYTEST_ARGS)

lint: setup ## check format, lints, types and import contracts
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy deploy/mosquitto/certificates.py
	$(BIN)/lint-imports

format: setup ## rewrite the sources in the project's format
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure speed and size beside a peer in the same run (BENCH=NAME for one)
	$(BIN)/python -m bench $(BENCH)

bench-estimation: setup ## judge the remote error estimation on stations with a known truth (ARGS="--stations 200")
	$(BIN)/python -m bench.estimation $(ARGS)

inspect-mutants: setup ## inspect the simulated firmware with each seeded defect and print the mutation table (DEFECTS="ID ID")
	$(BIN)/python -m firmware_sim.inspection.defects $(DEFECTS) $(MUTANTS_ARGS)

wheel: setup ## build the package for gateways, centres and laboratories into dist/
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/maturin build --release --locked --quiet --out dist
	@ls dist/*.whl

lock: setup ## pin the requirements again from pyproject.toml
	PATH="$(CURDIR)/$(BIN):$$PATH" ./requirements/compile.sh

clean: ## remove everything the build made
	rm -rf $(VENV) target dist .demo .grid-demo .replay .garage .power-flow .chaos .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
