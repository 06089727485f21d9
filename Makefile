.PHONY: bench

# Every figure beside its limit, in about four minutes: `make bench BENCH="--only a,d"` runs parts.
bench:
	cargo build --release -p sojourn -p sojourn-bench
	target/release/sojourn-bench $(BENCH)
