# lstmpack: everything a person types, in one place. `make help` lists the targets.

# Extra flags for swift build and swift test, for example: make test SWIFT_FLAGS="--jobs 1"
SWIFT_FLAGS ?=
# Seconds that `make fuzz` gives each fuzzer
FUZZ_SECONDS ?= 60
# Files with changed meaning that it makes, and the number that they come from
FUZZ_COUNT ?= 20000
FUZZ_SEED ?= 1
CHECKS = --explicit-target-dependency-import-check error

APT_PACKAGES = libdnnl-dev libhdf5-dev libprotobuf-c-dev liblapacke-dev libzip-dev libssl-dev \
  libdeflate-dev
BREW_PACKAGES = onednn hdf5 protobuf-c lapack libzip openssl@3 libdeflate

BIN = .build/release
DEMO = .build/demo

.PHONY: help setup build demo paper-quick test lint format bench fuzz proto clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install the C libraries that are missing (apt or brew)
	@if command -v dpkg-query > /dev/null; then \
	  missing=""; \
	  for package in $(APT_PACKAGES); do \
	    dpkg-query -W -f '$${Status}' $$package 2> /dev/null | grep -q 'ok installed' \
	      || missing="$$missing $$package"; \
	  done; \
	  if [ -n "$$missing" ]; then \
	    echo "installing:$$missing"; \
	    sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	    $$sudo apt-get update -q && \
	      $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
	        --no-install-recommends pkg-config $$missing; \
	  fi; \
	elif command -v brew > /dev/null; then \
	  brew install -q $(BREW_PACKAGES); \
	else \
	  echo "install these libraries with their headers: $(APT_PACKAGES)"; \
	fi

build: setup ## build lstmpack in release mode
	swift build -c release $(CHECKS) $(SWIFT_FLAGS) --product lstmpack

demo: build ## analyse, factor and pack the model that the repository ships
	@rm -rf $(DEMO) && mkdir -p $(DEMO) && cp examples/char-lm/char-lm.h5 $(DEMO)/
	@echo; echo '$$ lstmpack analyze'
	@cd $(DEMO) && ../release/lstmpack analyze < /dev/null
	@echo; echo '$$ lstmpack lowrank --rank 32'
	@cd $(DEMO) && ../release/lstmpack lowrank --rank 32 < /dev/null
	@echo; echo '$$ lstmpack quantize --bits 1 --out model.bvq'
	@cd $(DEMO) && ../release/lstmpack quantize --bits 1 --out model.bvq < /dev/null
	@echo; echo '$$ lstmpack eval model.bvq --against char-lm.h5 --data heldout.txt --vocab vocab.json'
	@cp examples/char-lm/heldout.txt examples/char-lm/vocab.json $(DEMO)/
	@cd $(DEMO) && ../release/lstmpack eval model.bvq --against char-lm.h5 --data heldout.txt --vocab vocab.json
	@echo; echo '$$ lstmpack verify model.bvq'
	@cd $(DEMO) && ../release/lstmpack verify model.bvq
	@echo; ls -l $(DEMO)

paper-quick: build ## test the paper's claims in small, into .build/paper; see examples/paper
	@rm -rf .build/paper
	examples/paper/run.sh --quick --out .build/paper

test: setup ## build everything and run all tests in release mode
	swift build -c release $(CHECKS) $(SWIFT_FLAGS) --build-tests
	swift test -c release $(CHECKS) $(SWIFT_FLAGS) --skip-build

lint: ## check formatting and documentation comments
	swift format lint --strict --parallel --recursive Package.swift Sources Tests

format: ## format the source
	swift format --in-place --parallel --recursive Package.swift Sources Tests

bench: setup ## build the benchmark; see `.build/release/lstmpack-bench --help`
	swift build -c release $(CHECKS) $(SWIFT_FLAGS)

fuzz: build ## FUZZ_COUNT files of changed meaning, each fuzzer for FUZZ_SECONDS; see Tests/Fuzzing/README.md
	FUZZ_COUNT=$(FUZZ_COUNT) FUZZ_SEED=$(FUZZ_SEED) Tests/Fuzzing/structure.sh
	Tests/Fuzzing/build.sh
	Tests/Fuzzing/seeds.sh .build-fuzz/seeds
	FUZZ_SECONDS=$(FUZZ_SECONDS) Tests/Fuzzing/run.sh

proto: ## generate Sources/COnnx from formats/onnx/onnx.proto (needs protobuf-c-compiler)
	protoc-c --proto_path=formats/onnx --c_out=Sources/COnnx onnx.proto
	mv Sources/COnnx/onnx.pb-c.h Sources/COnnx/include/

clean: ## remove build output
	rm -rf .build
