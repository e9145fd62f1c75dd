# The commands of the project. On a fresh machine `make demo` and `make test` set up all they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
JOBS ?= $(shell nproc)
VENV := .venv
BIN := $(VENV)/bin
CORPUS ?= $(or $(LOWTIDE_CORPUS),../shared/corpus)
TARGET ?= generated_graph
SECONDS ?= 600
export LOWTIDE_CORPUS := $(abspath $(CORPUS))
# Sources of the wheel: a change to one of them reinstalls it.
SOURCES := $(shell find src bindings python cmake third_party CMakeLists.txt pyproject.toml -type f -not -name '*.pyc' 2>/dev/null)

.PHONY: help demo test test-cpp test-python build bench lint odr format sanitize sanitize-threads planted-bugs fuzz long-tests clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.demo  ## capture, plan, verify and report ResNet-50 and BERT-base training steps
	@$(BIN)/python tools/demo.py

test: test-cpp test-python  ## build everything and run all tests

test-cpp: build/test/.built
	ctest --test-dir build/test --output-on-failure -j $(JOBS)

test-python: $(VENV)/.test
	$(BIN)/python -m pytest

build: $(VENV)/.built  ## .venv/bin/lowtide and .venv/bin/python with `import lowtide`

bench: build/test/.built $(VENV)/.test  ## the benchmarks; results go to docs/results.md by hand
	tools/bench.sh

lint: $(VENV)/.lint odr  ## formatting, includes, types, one definition of each type
	clang-format --dry-run --Werror $$(git ls-files '*.h' '*.cc')
	$(BIN)/python tools/check_includes.py
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

# All of the library as one, where the linker sees whether two types of one name differ.
odr: .system-packages
	cmake -S . -B build/odr -G Ninja -DCMAKE_BUILD_TYPE=None -DLOWTIDE_BUILD_TESTS=OFF -DLOWTIDE_BUILD_CLI=OFF \
	  -DCMAKE_CXX_FLAGS="-O0 -g0 -flto=auto -fno-fat-lto-objects"
	cmake --build build/odr -j $(JOBS)
	g++ -shared -flto=auto -O0 -Wodr -Werror=odr -o build/odr/all.so $$(find build/odr -name '*.o')

format: $(VENV)/.lint  ## reformat C++ and Python in place
	clang-format -i $$(git ls-files '*.h' '*.cc')
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

sanitize: .system-packages  ## all C++ tests under ASan and UBSan
	cmake -S . -B build/sanitize -G Ninja -DCMAKE_BUILD_TYPE=Debug -DLOWTIDE_SANITIZE=address,undefined -DCMAKE_CXX_FLAGS=-O1
	cmake --build build/sanitize -j $(JOBS)
	ctest --test-dir build/sanitize --output-on-failure -j $(JOBS)

sanitize-threads: .system-packages  ## all C++ tests under TSan
	cmake -S . -B build/tsan -G Ninja -DCMAKE_BUILD_TYPE=None -DLOWTIDE_BUILD_TESTS=ON -DLOWTIDE_BUILD_CLI=OFF \
	  -DLOWTIDE_SANITIZE=thread -DCMAKE_CXX_FLAGS=-O1
	cmake --build build/tsan -j $(JOBS)
	ctest --test-dir build/tsan --output-on-failure -j $(JOBS)

planted-bugs: build/test/.built $(VENV)/.test  ## plants bugs in a copy and shows that a test sees each
	$(BIN)/python tools/planted_bugs.py

# TARGET: graph_file, plan_file, buffers_file or generated_graph (tests/fuzz/targets.h).
fuzz: $(VENV)/.highs  ## a libFuzzer with ASan and UBSan: make fuzz TARGET=graph_file SECONDS=600 (needs clang)
	cmake -S . -B build/fuzz -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_COMPILER=clang++ -DLOWTIDE_BUILD_TESTS=ON \
	  -DLOWTIDE_BUILD_CLI=OFF -DLOWTIDE_WITH_HIGHS=ON -DPython_EXECUTABLE=$(abspath $(BIN)/python) \
	  -DLOWTIDE_BUILD_FUZZERS=ON -DLOWTIDE_SANITIZE=fuzzer-no-link,address,undefined -DCMAKE_CXX_FLAGS=-O1
	cmake --build build/fuzz -j $(JOBS) --target fuzz_$(TARGET)
	mkdir -p build/fuzz/found/$(TARGET)
	build/fuzz/tests/fuzz/fuzz_$(TARGET) -max_total_time=$(SECONDS) -timeout=20 -rss_limit_mb=2048 -max_len=4096 \
	  -dict=tests/fuzz/words.dict -artifact_prefix=build/fuzz/ build/fuzz/found/$(TARGET) tests/fuzz/corpus/$(firstword $(subst _, ,$(TARGET)))

long-tests: build/test/.built $(VENV)/.test  ## large numbers of random cases, sanitizers, planted bugs: hours
	LOWTIDE_LONG_TESTS=1 ctest --test-dir build/test --output-on-failure -j $(JOBS)
	LOWTIDE_LONG_TESTS=1 $(BIN)/python -m pytest
	$(MAKE) sanitize sanitize-threads planted-bugs

clean:  ## remove what was built
	rm -rf build out $(VENV)

.system-packages: tools/system_packages.sh
	@tools/system_packages.sh
	@touch $@

build/test/.built: $(VENV)/.highs $(SOURCES) $(shell find tests/cpp examples/cpp bench -type f 2>/dev/null)
	cmake -S . -B build/test -G Ninja -DLOWTIDE_BUILD_TESTS=ON -DLOWTIDE_BUILD_BENCH=ON -DLOWTIDE_WITH_HIGHS=ON \
	  -DPython_EXECUTABLE=$(abspath $(BIN)/python)
	cmake --build build/test -j $(JOBS)
	@touch $@

$(VENV)/bin/python: .system-packages
	$(PYTHON) -m venv $(VENV)
	@touch $@

# HiGHS for build/test, the version of pyproject.toml; the package brings its own.
$(VENV)/.highs: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet "$$(sed -n 's/^requires = .*"\(highsbox==[^"]*\)".*/\1/p' pyproject.toml)"
	@touch $@

$(VENV)/.built: $(VENV)/bin/python $(SOURCES)
	@echo "Building lowtide and its Python package ..."
	$(BIN)/pip install --quiet .
	@touch $@

# Each set of extras on top of the package; pip leaves alone what is there already.
$(VENV)/.demo $(VENV)/.test $(VENV)/.lint: $(VENV)/.%: $(VENV)/.built
	@echo "Installing what '$*' needs (PyTorch and transformers take a minute) ..."
	$(BIN)/pip install --quiet "lowtide[$*]"
	@touch $@
