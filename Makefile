# Builds, proves and shows ngx_proxy_user_module. `make help` lists what there
# is. Only make, and the scripts in tools/ that it calls: what one of them
# does in more than a line is written there.

NGINX ?= nginx
NGINX_SRC ?= /usr/share/nginx/src
PREFIX ?= /usr/local
TESTS ?= t
KEEP ?= 1
T ?= 60
SUITES ?= bookworm trixie forky
COMPILERS ?= gcc clang
ROOTS ?= build/matrix

# An nginx that finds NGINX in its environment takes it for the sockets it
# inherits, so scripts get another name.
unexport NGINX
export NGINX_BINARY := $(NGINX)
export NGINX_SRC

WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wcast-qual
# nginx compiles with -Werror by itself; given to its configure, it would make
# a warning in a feature test mean "this library is missing". Its headers cast
# volatile away, and its callbacks have arguments not everybody needs.
NGINX_WARNINGS := $(filter-out -Wcast-qual,$(WARNINGS)) -Wno-unused-parameter

# make sanitize runs this file again with SANITIZE=1: the same rules, a tree
# of its own, so that neither build ever links the other's objects.
# make valgrind does so with VALGRIND=1, make coverage with COVERAGE=1,
# make fuzz with FUZZ=1 and, where it has one, clang's libFuzzer,
# make mutants with MUTANTS=1: a library that others can stand in front of.
ifdef FUZZ
B := build/fuzz
LIBFUZZER := $(shell echo 'int LLVMFuzzerTestOneInput(void *d, unsigned long n) \
    { return !d || !n; }' | clang -fsanitize=fuzzer -x c -o /dev/null - \
    > /dev/null 2>&1 && echo yes)
OPT := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
       -fno-omit-frame-pointer
ifeq ($(LIBFUZZER),yes)
CC := clang
OPT += -fsanitize=fuzzer-no-link
FUZZ_LIB := -fsanitize=fuzzer
endif
else ifdef SANITIZE
B := build/sanitize
ASAN := -fsanitize=address -fno-omit-frame-pointer
UBSAN := -fsanitize=undefined -fno-sanitize-recover=undefined
OPT := -O1 -g $(ASAN) $(UBSAN)
# NGX_DEBUG_PALLOC gives every allocation from a pool a malloc of its own;
# without it the sanitizer sees one block and no overrun inside it. UBSan looks
# at our files only: nginx has undefined behaviour that is not ours to mend.
STATIC_CC_OPT := -O1 -g $(ASAN) -DNGX_DEBUG_PALLOC=1
STATIC_LD_OPT := $(ASAN) $(UBSAN)
STATIC_ADDON := $(UBSAN) $(NGINX_WARNINGS)
else ifdef VALGRIND
B := build/valgrind
OPT := -O1 -g
STATIC_CC_OPT := $(OPT) -DNGX_DEBUG_PALLOC=1
STATIC_LD_OPT := -g
STATIC_ADDON := $(NGINX_WARNINGS)
else ifdef COVERAGE
B := build/coverage
OPT := -O0 -g --coverage
STATIC_CC_OPT := -O0 -g -DNGX_DEBUG_PALLOC=1
STATIC_LD_OPT := --coverage
STATIC_ADDON := --coverage
else ifdef MUTANTS
B := build/mutants
OPT := -O0 -fPIC
else
B := build
OPT := -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
endif

LIBPU := $(B)/libpu.$(if $(MUTANTS),so,a)

MODULE := build/ngx_proxy_user_module.so
COMMAND := $(B)/proxy-user
STATIC := build/sanitize/nginx/objs/nginx

CORE_SRC := $(wildcard src/core/*.c)
SCRIPT_SRC := $(sort $(wildcard src/core/change/*.lua))
COMMAND_SRC := $(wildcard src/command/*.c)
NGINX_MODULE_SRC := ngx_proxy_user_module.c $(CORE_SRC) \
                    $(wildcard src/nginx/*.c)
HEADERS := $(wildcard src/core/*.h src/nginx/*.h)
UNIT_SRC := $(wildcard test/unit/*_test.c)
UNIT_HELP_SRC := $(filter-out $(UNIT_SRC),$(wildcard test/unit/*.c))

# Not targets: what they share, and their main() without libFuzzer.
FUZZ_HELP_SRC := test/fuzz/fuzz.c test/fuzz/driver.c
FUZZ_SRC := $(filter-out $(FUZZ_HELP_SRC),$(wildcard test/fuzz/*.c))

# What measures the core alone.
BENCH := $(patsubst %.c,$(B)/%,$(wildcard bench/*.c))

CORE_OBJ := $(CORE_SRC:%.c=$(B)/obj/%.o)
COMMAND_OBJ := $(COMMAND_SRC:%.c=$(B)/obj/%.o)
UNIT_OBJ := $(UNIT_SRC:%.c=$(B)/obj/%.o)
UNIT_HELP_OBJ := $(UNIT_HELP_SRC:%.c=$(B)/obj/%.o)
UNIT := $(UNIT_SRC:test/unit/%.c=$(B)/unit/%)
FUZZ_TARGETS := $(FUZZ_SRC:test/fuzz/%.c=$(B)/fuzz/%)

CFLAGS ?=
LDFLAGS ?=
LIBS := -lhiredis -lcjose -ljansson -lcrypto -lm
# The command speaks TLS to Redis; hiredis of Debian 12 cannot.
COMMAND_LIBS := $(LIBS) -lssl
TEST_LIBS := $(COMMAND_LIBS) -ljwt

COMPILE = $(CC) -std=gnu11 $(OPT) $(WARNINGS) -Werror -MMD -MP -Isrc/core \
          -I$(B)/gen $(CPPFLAGS) $(CFLAGS)

# What is run is shown only when asked for: V=1.
ifdef V
Q :=
else
Q := @
MAKE_QUIETLY := -s
endif

# Every core; the makes called from here share them.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2> /dev/null || echo 2)
endif

.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

.PHONY: all
all: $(MODULE) $(COMMAND)  ## the module and the command (the default)

.PHONY: help
help:  ## this list
	@awk -F ':.*##  *' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' \
	    $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  NGINX=$(NGINX)  NGINX_SRC=$(NGINX_SRC)"
	@echo "  PREFIX=$(PREFIX)  DESTDIR=$(DESTDIR)  TESTS=$(TESTS)  KEEP=$(KEEP)  T=$(T)"
	@echo "  SUITES=\"$(SUITES)\"  COMPILERS=\"$(COMPILERS)\"  ROOTS=$(ROOTS)"


# the module, by nginx's own build

# What the last configure was made from. The file changes only when its
# content does, so a new source file configures again and an edited one does
# not.
NGINX_INPUT := $(B)/nginx/input

$(NGINX_INPUT): FORCE
	@mkdir -p $(@D)
	@{ $(NGINX) -V 2>&1; echo $(NGINX_SRC) $(NGINX_MODULE_SRC) \
	    $(HEADERS) $(SCRIPT_SRC); } > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

ifndef SANITIZE
build/nginx/objs/Makefile: $(NGINX_INPUT) config config.make \
		tools/configure-nginx
	@echo "configuring for $$($(NGINX) -v 2>&1)"
	@CC_OPT="$(NGINX_WARNINGS)" \
	    tools/configure-nginx build/nginx dynamic

$(MODULE): build/nginx/objs/Makefile FORCE
	@$(MAKE) $(MAKE_QUIETLY) --no-print-directory \
	    -C build/nginx/src -f ../objs/Makefile modules
	@cmp -s build/nginx/objs/$(@F) $@ || cp build/nginx/objs/$(@F) $@
endif


# the core as a library, the command, the unit tests

$(B)/gen/pu_change_lua.h: $(SCRIPT_SRC) tools/embed
	@mkdir -p $(@D)
	@tools/embed pu_change_lua $(SCRIPT_SRC) > $@

$(B)/obj/%.o: %.c | $(B)/gen/pu_change_lua.h
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

$(B)/libpu.a: $(CORE_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/libpu.so: $(CORE_OBJ)
	$(Q)$(CC) -shared $(LDFLAGS) -o $@ $^ $(LIBS)

$(COMMAND): $(COMMAND_OBJ) $(B)/libpu.a
	$(Q)$(CC) $(OPT) $(LDFLAGS) -o $@ $^ $(COMMAND_LIBS)

$(B)/bench/%: $(B)/obj/bench/%.o $(UNIT_HELP_OBJ) $(B)/libpu.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(OPT) $(LDFLAGS) -o $@ $^ $(TEST_LIBS)

$(B)/obj/bench/%.o: COMPILE += -Itest/unit

$(B)/unit/%: $(B)/obj/test/unit/%.o $(UNIT_HELP_OBJ) $(LIBPU)
	@mkdir -p $(@D)
	$(Q)$(CC) $(OPT) $(LDFLAGS) -o $@ $^ $(TEST_LIBS)

FUZZ_MAIN := $(if $(FUZZ_LIB),,$(B)/obj/test/fuzz/driver.o)

$(B)/fuzz/%: $(B)/obj/test/fuzz/%.o $(B)/obj/test/fuzz/fuzz.o $(FUZZ_MAIN) \
		$(B)/libpu.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(OPT) $(FUZZ_LIB) $(LDFLAGS) -o $@ $^ $(LIBS)

-include $(wildcard $(B)/obj/src/*/*.d $(B)/obj/test/*/*.d)

.PHONY: unit-programs
unit-programs: $(UNIT)
	@:

.PHONY: unit
unit:  ## the core's unit tests, without nginx
	@$(MAKE) --no-print-directory unit-programs
	@tools/run-unit $(UNIT)

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_TARGETS)

.PHONY: fuzz-replay
fuzz-replay:  ## the committed inputs of test/fuzz/corpus, once each
	@$(MAKE) --no-print-directory fuzz-programs
	@tools/run-fuzz replay $(FUZZ_TARGETS)

.PHONY: fuzz
fuzz:  ## look for inputs that break the core, T=60 seconds a target
	@$(MAKE) --no-print-directory FUZZ=1 fuzz-programs
	@tools/run-fuzz $(T) $(FUZZ_TARGETS:$(B)/%=build/fuzz/%)


# proofs

.PHONY: test
test:  ## everything: installs what is missing, builds, tests
	@tools/install-deps build test
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory style
	@$(MAKE) --no-print-directory layers
	@$(MAKE) --no-print-directory order
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory fuzz-replay
	@tools/run-tests $(TESTS)

.PHONY: sanitize
sanitize:  ## the same tests in a static nginx under ASan and UBSan
	@tools/install-deps build test sanitize
	@$(MAKE) --no-print-directory SANITIZE=1 static-nginx
	@$(MAKE) --no-print-directory SANITIZE=1 \
	    build/sanitize/proxy-user unit-programs fuzz-programs
	@tools/sanitized $(MAKE) --no-print-directory SANITIZE=1 unit
	@tools/sanitized $(MAKE) --no-print-directory SANITIZE=1 fuzz-replay
	@SANITIZE=1 tools/run-tests $(TESTS)

.PHONY: valgrind
valgrind:  ## the same tests in valgrind's memcheck, which takes long
	@tools/install-deps build test sanitize
	@$(MAKE) --no-print-directory VALGRIND=1 static-nginx
	@$(MAKE) --no-print-directory VALGRIND=1 build/valgrind/proxy-user
	@tools/valgrind $(TESTS)

.PHONY: coverage
coverage:  ## tests and refused memory: which lines and branches they reach
	@tools/install-deps build test sanitize
	@find build/coverage -name '*.gcda' -delete 2> /dev/null || true
	@$(MAKE) --no-print-directory COVERAGE=1 static-nginx
	@$(MAKE) --no-print-directory COVERAGE=1 \
	    build/coverage/proxy-user unit-programs
	@$(MAKE) --no-print-directory COVERAGE=1 unit
	@COVERAGE=1 tools/run-tests $(TESTS)
	@PROXY_USER_MODULE= PROXY_USER_COMMAND=$(CURDIR)/build/coverage/proxy-user \
	    TEST_NGINX_BINARY=$(CURDIR)/build/coverage/nginx/objs/nginx \
	    tools/faults memory || echo 'see above: only what was reached counts here'
	@tools/coverage build/coverage

.PHONY: coverage-unit
coverage-unit:  ## of the core's strictest part, by the unit tests alone
	@find build/coverage -name '*.gcda' -delete 2> /dev/null || true
	@$(MAKE) --no-print-directory COVERAGE=1 unit
	@tools/coverage --unit build/coverage

.PHONY: mutants
mutants:  ## change that part, see that unit tests notice: FILES= N=400 ALL=1
	@$(MAKE) --no-print-directory COVERAGE=1 unit-programs
	@$(MAKE) --no-print-directory MUTANTS=1 unit-programs
	@tools/mutants $(FILES)

ifdef STATIC_LD_OPT
.PHONY: static-nginx
static-nginx: $(B)/nginx/objs/Makefile
	@$(MAKE) $(MAKE_QUIETLY) --no-print-directory \
	    -C $(B)/nginx/src -f ../objs/Makefile binary

$(B)/nginx/objs/Makefile: $(NGINX_INPUT) config config.make \
		tools/configure-nginx
	@echo "configuring a static nginx in $(B)"
	@src=$$(tools/nginx-source $(B)) && NGINX_SRC=$$src \
	    CC_OPT="$(STATIC_CC_OPT)" LD_OPT="$(STATIC_LD_OPT)" \
	    tools/configure-nginx $(B)/nginx bare \
	    --with-debug --with-http_ssl_module --with-http_v2_module \
	    --with-http_auth_request_module --with-http_realip_module \
	    --with-http_addition_module --with-http_sub_module \
	    --with-http_stub_status_module --error-log-path=stderr
	@echo '$(@D)/addon/%: CFLAGS += $(STATIC_ADDON)' \
	    | sed 's|^|$(CURDIR)/|' >> $@
endif

.PHONY: style
style:  ## the look of the sources
	@tools/style

.PHONY: layers
layers:  ## which part may include which
	@tools/layers

.PHONY: order
order: $(MODULE)  ## the static and the dynamic build run in one order
	@tools/phase-order

.PHONY: bench
bench:  ## beside nginx alone and what others take; BENCHES='versus growth'
	@tools/install-deps build test bench
	@$(MAKE) --no-print-directory all $(BENCH)
	@bench/run $(BENCHES)

.PHONY: faults
faults:  ## break Redis, provider and machine under load; docs/reliability.md
	@tools/install-deps build test
	@$(MAKE) --no-print-directory all
	@tools/faults --write

.PHONY: endure
endure:  ## 200 reloads, a million requests of every kind: nothing grows
	@tools/install-deps build test
	@$(MAKE) --no-print-directory all
	@tools/endure

.PHONY: package
package:  ## the Debian package, tried in a fresh root of the same Debian
	@tools/install-deps build package
	@tools/build-package
	@tools/check-package build/package/libnginx-mod-http-proxy-user_*.deb

.PHONY: matrix
matrix:  ## the tests on SUITES of Debian with COMPILERS, in fresh roots (root)
	@tools/install-deps package
	@COMPILERS="$(COMPILERS)" TESTS="$(TESTS)" DIR="$(ROOTS)" \
	    tools/matrix $(SUITES)


# for people

.PHONY: demo
demo:  ## a real provider, Redis and nginx, shown in one table (KEEP=0 ends)
	@tools/install-deps build demo
	@$(MAKE) --no-print-directory all
	@KEEP=$(KEEP) demo/run

.PHONY: demo-stop
demo-stop:  ## end a demo that was left running
	@demo/stop

.PHONY: deps
deps:  ## install what building and testing need (Debian, root)
	@tools/install-deps build test

# A load_module path in Debian's own files is relative to nginx's prefix, and
# that is what modules-available holds.
MODULES_PATH = $(shell $(NGINX) -V 2>&1 | tr ' ' '\n' \
    | sed -n 's/^--modules-path=//p')
AVAILABLE := /usr/share/nginx/modules-available

.PHONY: install
install: all  ## the module where nginx looks for it, the command in PREFIX
	@[ -n "$(MODULES_PATH)" ] || { echo "$(NGINX) -V names no modules-path:" \
	    "copy $(MODULE) where your nginx.conf loads it from." >&2; exit 1; }
	install -D -m 644 $(MODULE) \
	    $(DESTDIR)$(MODULES_PATH)/ngx_proxy_user_module.so
	install -d $(DESTDIR)$(AVAILABLE)
	echo "load_module modules/ngx_proxy_user_module.so;" \
	    > $(DESTDIR)$(AVAILABLE)/mod-http-proxy-user.conf
	install -D -m 755 $(COMMAND) $(DESTDIR)$(PREFIX)/bin/proxy-user
	install -D -m 644 tools/proxy-user.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/proxy-user
	@if [ -f docs/proxy-user.1 ]; then install -D -m 644 docs/proxy-user.1 \
	    $(DESTDIR)$(PREFIX)/share/man/man1/proxy-user.1; fi

.PHONY: clean
clean:  ## everything that was built
	@if [ -x demo/stop ]; then demo/stop; fi
	rm -rf build

.PHONY: FORCE
FORCE:
