# Kedge: one Makefile for everything. `make help` lists what it can do, docs/development.md says more.
VERSION := 0.1.0

# ---- what a caller may set -------------------------------------------------------------------------------------------------
CC       ?= gcc
PREFIX   ?= /usr/local
PYTHON   ?= /usr/bin/python3
SANITIZE ?=
SEED     ?=
ARGS     ?=
FUZZ_SECONDS ?= 20
ifeq ($(origin CC),default)
CC := gcc
endif

# Each way of building has its own directory, so that nothing is built twice when one goes from one to the other.
MODE := $(if $(FUZZ),fuzz,$(if $(SANITIZE),sanitize,release))
B    := build/$(MODE)

# ---- what there is ---------------------------------------------------------------------------------------------------------
FOLDERS := shared/base shared/model shared/os shared/mqtt shared/store shared/http shared/registry \
           agent/core agent/workload agent/jobs agent/daemon agent/runtime agent/job \
           coordinator/core coordinator/server coordinator/broker coordinator/cli

MAIN_kedge-agent       := agent/daemon/main.c
MAIN_kedge-agent-job   := agent/job/main.c
MAIN_kedge-coordinator := coordinator/server/main.c
MAIN_kedge             := coordinator/cli/main.c
NAMES    := kedge-agent kedge-agent-job kedge-coordinator kedge
PROGRAMS := $(foreach name,$(NAMES),$(if $(wildcard $(MAIN_$(name))),$(name)))
MAINS    := $(foreach name,$(NAMES),$(MAIN_$(name)))

SOURCES  := $(sort $(wildcard $(FOLDERS:=/*.c)))
LIBRARY  := $(filter-out $(MAINS),$(SOURCES))
UNITS    := $(patsubst %.c,%,$(sort $(wildcard tests/unit/test_*.c)))
SIM      := $(sort $(wildcard tests/sim/*.c))
PLANTED  := $(if $(SIM),$(shell grep -l '^.include "shared/base/plant.h"' $(LIBRARY)))
FUZZERS  := $(patsubst %.c,%,$(sort $(wildcard tests/fuzz/*.c)))
DRIVERS  := $(patsubst %.c,%,$(sort $(wildcard tests/bench/*.c tests/system/*.c)))
SHELL_FILES  := $(shell grep -rlE '^\#!/bin/(ba)?sh' .ci packaging tests 2>/dev/null | sort)
PYTHON_FILES := $(shell grep -rlE '^\#!/usr/bin/(env )?python3' tests packaging 2>/dev/null | sort) \
                $(sort $(shell find tests packaging -name '*.py' 2>/dev/null))
C_FILES      := $(sort $(shell find shared agent coordinator tests \( -name '*.c' -o -name '*.h' \) -not -path '*/fixtures/*' 2>/dev/null))

# ---- flags -----------------------------------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-format-zero-length -Werror
HARD := -fPIE -fstack-protector-strong $(if $(filter release,$(MODE)),-D_FORTIFY_SOURCE=2)
SAFE_release  :=
SAFE_sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAFE_fuzz     := $(SAFE_sanitize) -fsanitize=fuzzer-no-link
PARTS   := libmosquitto lmdb libcjson libcurl libuv yaml-0.1 libarchive cmocka
FOUND   := $(shell pkg-config --exists $(PARTS) 2>/dev/null && echo yes)
CFLAGS  ?= -O2 -g
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -I. $(WARN) $(CFLAGS) $(HARD) $(SAFE_$(MODE)) -ffunction-sections -fdata-sections \
             -ffile-prefix-map=$(CURDIR)=. -DKD_VERSION='"$(VERSION)"' $(PARTS_CFLAGS)
PARTS_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PARTS) 2>/dev/null))
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now,--as-needed,--gc-sections $(SAFE_$(MODE)) $(if $(FUZZ),-fsanitize=fuzzer) $(LDFLAGS)

# Each program is linked with its own libraries only: what is not named here cannot get in (tests/lint/links.py looks again).
pc = $(shell pkg-config --libs $(1) 2>/dev/null)
LIBS_kedge-agent       := $(call pc,libmosquitto lmdb libuv libcjson) -lmbedcrypto -lm
LIBS_kedge-agent-job   := $(call pc,libcurl yaml-0.1 libarchive libuv libcjson) -lmbedcrypto -lm
LIBS_kedge-coordinator := $(call pc,libmosquitto lmdb libcurl yaml-0.1 libarchive libuv libcjson) -lmbedcrypto -lm
LIBS_kedge             := $(call pc,libmosquitto yaml-0.1 libarchive libuv libcjson) -lmbedcrypto -lm
LIBS_tests             := $(call pc,$(PARTS)) -lmbedcrypto -lm

# ---- what tests find in their environment ------------------------------------------------------------------------------------
HELM_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kedge/helm-4.1.4
export PATH := $(PATH):$(HELM_CACHE)
export KEDGE_BUILD := $(abspath $(B))
export SEED
export PYTHONDONTWRITEBYTECODE := 1
export ASAN_OPTIONS  := abort_on_error=1:detect_leaks=1
export UBSAN_OPTIONS := print_stacktrace=1

# ---- targets ---------------------------------------------------------------------------------------------------------------
.PHONY: help deps build all-built test check demo bench fuzz lint format install clean system FORCE
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' Makefile | expand -t 12
	@echo 'Variables: SANITIZE=1 (ASan and UBSan, in build/sanitize)  CC=clang  DESTDIR= PREFIX=$(PREFIX)  SEED=n (simulation)'
	@echo '           ARGS="-k name" (for pytest)  FUZZ_SECONDS=$(FUZZ_SECONDS)'

deps: ## install what building and testing needs (apt packages as root, Helm into the cache)
	@packaging/deps $(HELM_CACHE)

build: $(PROGRAMS:%=$(B)/%) ## build the programs into build/release (default)

test: all-built ## run what needs no root and no servers: unit tests and simulation
	@$(PYTHON) tests/run $(B) unit $(UNITS:%=$(B)/%)
	@$(if $(SIM),$(PYTHON) tests/run $(B) sim $(B)/tests/sim/sim)

check: ## install what is needed, build, and pass every test
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory all-built
	@status=0; for part in lint test system; do $(MAKE) --no-print-directory $$part || status=1; done; exit $$status

system: build $(DRIVERS:%=$(B)/%)
	@$(PYTHON) tests/run $(B) system --pytest tests/system $(ARGS)

demo: ## deploy a package to two edges with Podman, live, on this machine
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory build
	@tests/demo/demo

bench: build $(DRIVERS:%=$(B)/%) ## measure against the baselines
	@$(PYTHON) tests/bench/bench.py

fuzz: ## let each fuzzer run for FUZZ_SECONDS (needs clang)
	@$(MAKE) --no-print-directory FUZZ=1 CC=clang fuzzers
	@$(PYTHON) tests/run build/fuzz fuzz --seconds $(FUZZ_SECONDS) $(FUZZERS:%=build/fuzz/%)

.PHONY: fuzzers
fuzzers: $(FUZZERS:%=$(B)/%)

lint: $(PROGRAMS:%=$(B)/%) $(B)/libkedge.a ## check style, rules and shell and Python files
	@$(PYTHON) tests/run $(B) lint --lint \
	    'format: clang-format --dry-run -Werror $(C_FILES)' \
	    'cppcheck: tests/lint/cppcheck $(B) $(SOURCES)' \
	    'shell: shellcheck $(SHELL_FILES)' \
	    'python: $(PYTHON) -m flake8 --max-line-length 132 $(PYTHON_FILES)' \
	    'rules: $(PYTHON) tests/lint/rules.py' \
	    'rules refuse: $(PYTHON) tests/lint/rules.py --fixtures' \
	    'links: $(PYTHON) tests/lint/links.py $(B)' \
	    'links refuse: $(PYTHON) tests/lint/links.py $(B) --fixtures'

format: ## let clang-format write the C files
	@for again in 1 2 3; do clang-format -i $(C_FILES); done

clean: ## remove what was built, and what a killed demo or test left behind
	@tests/demo/clean
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name lab -exec rm -rf {} +; rmdir build 2>/dev/null || true; fi

install: build ## install into DESTDIR and PREFIX
	@packaging/install '$(B)' '$(DESTDIR)' '$(PREFIX)' $(PROGRAMS)

# ---- how things are built --------------------------------------------------------------------------------------------------
all-built: build $(UNITS:%=$(B)/%) $(if $(SIM),$(B)/tests/sim/sim) $(DRIVERS:%=$(B)/%)

# Objects depend on the compiler and its flags: the file changes only if they do.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@$(if $(FOUND),,echo 'make: libraries are missing ($(PARTS)): run `make deps`' >&2; exit 1)
	@printf '%s\n' '$(CC) $(subst ','\'',$(ALL_CFLAGS) $(ALL_LDFLAGS))' | cmp -s - $@ || \
	    printf '%s\n' '$(CC) $(subst ','\'',$(ALL_CFLAGS) $(ALL_LDFLAGS))' > $@

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC    $<'
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# A thin archive: programs take the objects that they use; the rest stays out. Its list changes when a file comes or goes.
$(B)/library.list: FORCE
	@mkdir -p $(@D)
	@echo '$(LIBRARY)' | cmp -s - $@ || echo '$(LIBRARY)' > $@

$(B)/libkedge.a: $(LIBRARY:%.c=$(B)/%.o) $(B)/library.list
	@rm -f $@
	@$(AR) rcsT $@ $(filter %.o,$^)

define program_rule
$(B)/$(1): $(B)/$(MAIN_$(1):.c=.o) $(B)/libkedge.a
	@echo '  LINK  $$@'
	@$$(CC) $$(ALL_LDFLAGS) -o $$@ $$< $(B)/libkedge.a $$(LIBS_$(1))
endef
$(foreach name,$(PROGRAMS),$(eval $(call program_rule,$(name))))

# The simulation has its own objects of the files in which defects can be planted; they stand before the archive's.
$(B)/planted/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC    $< (planted)'
	@$(CC) $(ALL_CFLAGS) -DKD_PLANTED -MMD -MP -c -o $@ $<

$(B)/tests/sim/sim: $(patsubst %.c,$(B)/planted/%.o,$(SIM) $(PLANTED)) $(B)/libkedge.a
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_tests)

$(UNITS:%=$(B)/%) $(FUZZERS:%=$(B)/%) $(DRIVERS:%=$(B)/%): %: %.o $(B)/libkedge.a
	@echo '  LINK  $@'
	@$(CC) $(ALL_LDFLAGS) -o $@ $< $(B)/libkedge.a $(LIBS_tests)

FORCE:
-include $(patsubst %.c,$(B)/planted/%.d,$(SIM) $(PLANTED))
-include $(patsubst %.c,$(B)/%.d,$(SOURCES) $(UNITS:=.c) $(FUZZERS:=.c) $(DRIVERS:=.c))
