# What a person types. `make help` lists it.

SHELL := bash
TARGET := $(or $(CARGO_TARGET_DIR),target)
SETUP := bash tests/cluster/setup.sh
# Runs a step and notes how long it takes: $(TIMED) NAME COMMAND.
TIMED := bash tests/cluster/timed.sh

.PHONY: help demo test test-node differential bench instructions fuzz generate lint ci

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## Show Sojourn at work on a local cluster; stays until Ctrl-C (DEMO=once: ends by itself; NODE=1: real node, root)
	@$(SETUP) --build
	cargo build --package sojourn --package sojourn-demo
	exec $(TARGET)/debug/sojourn-demo $(if $(filter once,$(DEMO)),--once) $(if $(NODE),--node)

test: export TIMES = $(TARGET)/times-test
test: ## Run every test that needs no root: unit, property, model, and on a real control plane
	@$(SETUP)
	@$(TIMED) --begin
	$(TIMED) "cluster binaries" cargo run --quiet --package sojourn-cluster -- build
	@# Tests on the control plane mostly wait, so more of them at a time than there are cores.
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-8} $(TIMED) "tests" cargo test --workspace --no-fail-fast
	$(TIMED) "tests of traces" cargo test --package sojourn --lib --features otel telemetry::trace
	@$(TIMED) --end

test-node: export TIMES = $(TARGET)/times-test-node
test-node: ## Run the tests that need a real node (root)
	@$(SETUP) --node
	@$(TIMED) --begin
	$(TIMED) "cluster binaries" cargo run --quiet --package sojourn-cluster -- build --node
	$(TIMED) "the node itself" cargo test --package sojourn-cluster --test node
	@# They mostly wait too. One that restarts the operator, and those with a node of their own, come when the rest is done.
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-8} $(TIMED) "sessions" cargo test --no-fail-fast --test node -- \
		--skip restart:: --skip lost:: --skip takeover::
	$(TIMED) "restart" cargo test --test node -- restart::
	$(TIMED) "lost nodes and takeover" cargo test --no-fail-fast --test node -- lost:: takeover::
	@$(TIMED) --end

differential: export SOJOURN_DIFFERENTIAL_SPECS ?= $(or $(SPECS),20000)
differential: export SOJOURN_DIFFERENTIAL_SEED ?= $(or $(SEED),1)
differential: ## Compare our rules with a real API server on SPECS=20000 generated sessions (SEED=1; KUBERNETES=1.30: of that version)
	@$(SETUP)
	@# The rules judge for the version that the API server says it is.
	$(if $(KUBERNETES),export KUBEBUILDER_ASSETS; KUBEBUILDER_ASSETS=$$(bash tests/cluster/api-server.sh $(KUBERNETES)) && )\
	cargo run --quiet --package sojourn-cluster -- build && \
	cargo test --package sojourn --test differential -- --nocapture

bench: ## Measure, and print a table with the limit of each figure from the same run (BENCH="--only a,d": parts; BENCH="--only scale": 10,000 sessions; BENCH="--only largest": 2,000 of the largest size)
	@$(SETUP) --build
	cargo build --release --package sojourn --package sojourn-bench
	$(TARGET)/release/sojourn-bench $(BENCH)

instructions: ## Count the instructions per admission and keep them in tests/bench/instructions.md (needs valgrind)
	cargo build --release --package sojourn --package sojourn-bench
	$(TARGET)/release/sojourn-bench --keep-instructions

# libFuzzer on the stable toolchain: what is covered is counted by a pass of LLVM, which needs no nightly compiler.
SANCOV := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_SECONDS ?= 60

fuzz: ## Fuzz each target with libFuzzer for FUZZ_SECONDS=60; needs a C++ compiler (FUZZ=rules-job: only that one)
	RUSTFLAGS="$(SANCOV)" cargo build --package sojourn-fuzz --features libfuzzer --profile fuzz --target $(HOST)
	@set -e; program=$(TARGET)/$(HOST)/fuzz/fuzz; corpus=$(TARGET)/fuzz-corpus; mkdir -p $$corpus; \
	targets=$$(SOJOURN_SEEDS=$$corpus $$program /dev/null 2>/dev/null); \
	for target in $(or $(FUZZ),$$targets); do \
		echo "fuzz: $$target"; \
		SOJOURN_FUZZ=$$target $$program $$corpus/$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
			-max_len=16384 -artifact_prefix=$$corpus/$$target- -print_final_stats=1 2>&1 | tail -n 25; \
	done

generate: ## Write the files that are generated from the code
	cargo run --quiet --package sojourn -- generate

lint: ## Format, lints and stale files, as CI checks them
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@# The tests that need root are in no such list.
	cargo clippy --package sojourn --package sojourn-cluster --test node -- -D warnings
	$(MAKE) --no-print-directory generate
	@git diff --exit-code --stat -- crds/yaml webhooks/yaml charts docs || { echo "generated files were stale: commit what changed"; exit 1; }

ci: ## Everything that must hold on main, as CI runs it (root; installs what is missing)
	bash .ci/run
