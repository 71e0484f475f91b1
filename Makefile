# Every command of the README stands here; .ci/run calls the same ones.
# Set-up is part of each target: a virtual environment with the built extension in .venv,
# and the real servers that the tests and the demo run, cached in ~/.cache/trimtab.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
RIVALS := $(VENV)/.rivals
RUST   := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml 2>/dev/null)
PYTEST := $(BIN)/python -m pytest

# What stable rustc needs to have a program tell libFuzzer which of its edges were taken.
FUZZ_SECONDS ?= 10
SOAK_TABLES  ?= 1000
HOST          = $(shell rustc -vV | sed -n 's/host: //p')
FUZZ_BUILD    = CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true RUSTFLAGS="--cfg fuzzing \
  -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"

.DEFAULT_GOAL := help
.PHONY: help setup tools demo demo-cluster test lint fmt fuzz oracle bench bench-match proto crds docs clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(READY) ## Make the virtual environment and build the extension

$(READY): pyproject.toml $(RUST)
	@command -v $(PYTHON) >/dev/null || { echo "trimtab needs Python 3.11 or newer: install python3, or set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "trimtab needs Python 3.11 or newer, $(PYTHON) is older: set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module: install it (Debian: python3-venv)"; exit 1; }
	@command -v cargo >/dev/null || { echo "trimtab needs a Rust toolchain, 1.95 or newer: install it with rustup"; exit 1; }
	@echo "setup: virtual environment in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setup: dependencies, and the Rust extension (about 2 minutes, the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)
	@echo "setup: done"

$(RIVALS): pyproject.toml | $(READY)
	@echo "setup: the routers that the matcher is compared with"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
	@touch $(READY) $(RIVALS)

tools: $(READY) ## Find, install or build Envoy, etcd, kube-apiserver and Prometheus
	@$(BIN)/python -m trimtab.testbed

demo: $(READY) ## The main job, live, on a real Envoy; ends with a report
	$(BIN)/trimtab demo --report report

demo-cluster: $(READY) ## The same on a real kube-apiserver, etcd and Prometheus
	$(BIN)/trimtab demo --cluster --report report

test: tools $(RIVALS) ## All tests, on the real servers
	cargo test --quiet --workspace --exclude trimtab-py
	$(PYTEST)

lint: $(READY) ## Style, types, import rules, generated files
	cargo fmt --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m mypy.stubtest trimtab._core
	$(BIN)/python -m trimtab.crds --check deploy/crds
	$(BIN)/python -m trimtab.fields --check docs/appmesh-fields.md

fmt: $(READY) ## Format everything
	cargo fmt
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

fuzz: ## Fuzz the matcher and its regexes: FUZZ_SECONDS for each, then SOAK_TABLES of 100 requests
	@command -v c++ >/dev/null || { echo "the fuzzer needs a C++ compiler: install c++ (Debian: g++)"; exit 1; }
	$(FUZZ_BUILD) cargo build --quiet --release --package trimtab-fuzz --bin fuzz_table --bin fuzz_regex --target $(HOST) --target-dir target/fuzz
	for what in table regex; do mkdir -p target/fuzz/corpus/$$what; \
	  target/fuzz/$(HOST)/release/fuzz_$$what target/fuzz/corpus/$$what -artifact_prefix=target/fuzz/ -max_total_time=$(FUZZ_SECONDS) \
	  -max_len=2000 -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 || exit 1; done
	cargo run --quiet --release --package trimtab-fuzz --bin soak -- $(SOAK_TABLES)

CASES ?= 1000000
SEED  ?= 1

oracle: tools ## The matcher against the real Envoy: CASES=1000000 random cases, SEED=1
	$(BIN)/python tests/oracle/run.py --cases $(CASES) --seed $(SEED)

bench: tools ## Micro-benchmarks, and weight decided -> Envoy ACK
	$(PYTEST) bench --ignore=bench/match --benchmark-enable --benchmark-only --benchmark-group-by=group
	$(BIN)/python bench/xds_ack.py
	$(BIN)/python bench/lint_scale.py
	$(BIN)/python bench/decided_ack.py
	$(BIN)/python -m bench.envoy_cpu

bench-match: $(RIVALS) ## The matcher beside other routers, Envoy and its goals (5 minutes)
	mkdir -p report/bench-match
	$(PYTEST) bench/match --benchmark-enable --benchmark-only --benchmark-group-by=group \
	  --benchmark-max-time=0.2 --benchmark-min-rounds=3 --benchmark-json=report/bench-match/groups.json
	$(BIN)/python -m bench.match $(ARGS)

proto: $(READY) ## Generate the gRPC code
	sh proto/generate.sh $(BIN)/python

crds: $(READY) ## Generate the WeightPolicy CRD and its reference page
	$(BIN)/python -m trimtab.crds deploy/crds

docs: crds ## Generate the reference pages
	$(BIN)/python -m trimtab.crds --reference docs/weightpolicy.md
	$(BIN)/python -m trimtab.fields docs/appmesh-fields.md

clean: ## Remove what was built here (not the cached servers)
	rm -rf $(VENV) target report .mypy_cache .pytest_cache .ruff_cache
