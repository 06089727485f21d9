# What a person types. `make help` lists it.

.PHONY: demo generate

demo: ## Show Sojourn at work on a local cluster; stays until Ctrl-C (DEMO=once: ends by itself)
	cargo build --package sojourn --package sojourn-demo
	exec $${CARGO_TARGET_DIR:-target}/debug/sojourn-demo $(if $(filter once,$(DEMO)),--once)

generate: ## Write the files that are generated from the code
	cargo run --quiet --package sojourn -- generate
