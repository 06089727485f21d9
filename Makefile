# What a person types. `make help` lists it.

SHELL := bash
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help demo test test-node bench generate lint ci

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## Show Sojourn at work on a local cluster; stays until Ctrl-C (DEMO=once: ends by itself)
	cargo build --package sojourn --package sojourn-demo
	exec $(TARGET)/debug/sojourn-demo $(if $(filter once,$(DEMO)),--once)

test: ## Run every test that needs no root: unit, property, model, and on a real control plane
	cargo run --quiet --package sojourn-cluster -- build
	@# Tests on the control plane mostly wait, so more of them at a time than there are cores.
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-8} cargo test --workspace
	cargo test --package sojourn --lib --features otel telemetry::trace

test-node: ## Run the tests that need a real node (root)
	@echo "test-node: there are no tests that need a real node yet; sidecars and tunnels come with them"

bench: ## Measure, and print a table with the limit of each figure from the same run (BENCH="--only a,d": parts)
	cargo build --release --package sojourn --package sojourn-bench
	$(TARGET)/release/sojourn-bench $(BENCH)

generate: ## Write the files that are generated from the code
	cargo run --quiet --package sojourn -- generate

lint: ## Format, lints and stale files, as CI checks them
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(MAKE) --no-print-directory generate
	@git diff --exit-code --stat -- crds/yaml webhooks/yaml charts docs || { echo "generated files were stale: commit what changed"; exit 1; }
