# Each target works as the first command on a fresh Debian 12: what it needs is installed by scripts/install-packages.
BUILD := build
JOBS := $(shell nproc)
IMAGE ?=

.PHONY: all build test long-test demo bench bench-registry interop scan docs golden format lint clean
.DEFAULT_GOAL := all

all: build

build:
	@scripts/install-packages build
	@cmake --preset release > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@cmake --build --preset release -j $(JOBS)

# Unit tests, the test of the source, and the real binary against real clients and stores.
test:
	@scripts/install-packages test
	@$(MAKE) --no-print-directory build
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

# What takes too long for every change: sanitizers, a minute of each fuzz target, the panel of Debian packages.
long-test:
	@scripts/install-packages test
	@scripts/install-packages lint
	@scripts/long-test

demo: build
	@scripts/install-packages test
	@scripts/demo

bench:
	@scripts/install-packages bench
	@$(MAKE) --no-print-directory build
	@bench/run
	@cmake --build --preset release --target campaigns_bench
	@$(BUILD)/bench/campaigns_bench

# serve beside docker-registry and nginx: manifests, blobs, a push of the large image, crowds.
bench-registry:
	@scripts/install-packages bench
	@$(MAKE) --no-print-directory build
	@bench/large-image out/bench
	@python3 bench/registry.py out/bench

# Clients, peers and the specification's own suite, built through the Go module proxy, against serve. Needs Go.
interop: build
	@scripts/install-packages test
	@scripts/install-interop-tools $(BUILD)/interop
	@for test in tests/interop/conformance_suite.py tests/interop/clients_test.py; do echo "$$test"; PYTHONDONTWRITEBYTECODE=1 LAZARET=$(BUILD)/lazaret python3 $$test || exit 1; done

scan: build
	@[ -n "$(IMAGE)" ] || { echo "usage: make scan IMAGE=nginx:latest (or a path, or any target of 'lazaret scan --help')"; exit 2; }
	@$(BUILD)/lazaret scan "$(IMAGE)"

# What is written from the code: docs/detectors. Run it after a rule was added or its text changed.
docs: build
	@$(BUILD)/lazaret rules --format markdown --output-folder docs/detectors

# What is kept of reports to compare with: forms of a report made by hand, findings in the images of 2018. Look at the difference before you commit it.
golden: build
	@LAZARET_UPDATE_GOLDEN=1 $(BUILD)/src/report/report_test --gtest_filter='*Golden*' --gtest_brief=1
	@LAZARET=$(BUILD)/lazaret LAZARET_UPDATE_GOLDEN=1 python3 tests/golden_test.py
	@git status --short tests/golden

format:
	@scripts/install-packages lint
	@git ls-files '*.h' '*.cc' | xargs clang-format -i

lint:
	@scripts/install-packages lint
	@git ls-files '*.h' '*.cc' | xargs clang-format --dry-run -Werror

clean:
	rm -rf $(BUILD) build-*
