# make demo   set the sandbox up and run the plan there, twice
# make test   run the tests, side by side; make check: format, lint, types as well
# make quick  what is tested without a run, for while you work: under a minute
# make bench  what a run without changes costs, beside its floor and its peers (as root: over SSH too)
# make undos  200 undos while KDE writes all the time (make undos UNDOS=20: fewer)
# make homes  1,000 random homes through the pure part of an undo, 100 through a run and its undo
#             (make homes HOMES=20: fewer of these)
# make vm     whole machines in QEMU, with a boot loader: hours (make vm ARGS="-m small": minutes)
# make fuzz   every reader of what a workspace says, led by coverage, an hour (SECONDS=60: less)
# make real   the Nix layers on real checkouts: REAL="LIB:HOME_MANAGER ..." NIXOS_HARDWARE=DIR
# make report the newest run as one page, report.html
# make audit  known advisories about the packages that are installed, where a database is reachable
# make requirements  write requirements.txt, the versions and hashes of uv.lock for pip
# make tools  build what is tested against and not packaged: chezmoi, nixpkgs-fmt, sd-switch (Go, Cargo)
# Each makes its own environment: with uv where it is installed, else with venv and pip.

PYTHON ?= python3
BIN := .venv/bin
TOOLS := .tools/bin
export PATH := $(CURDIR)/$(TOOLS):$(PATH)
# Where it is set, each process compiles all that it imports anew: two thirds of a short run's time.
unexport PYTHONDONTWRITEBYTECODE
ARGS ?=
# A test waits for other programs half of its time: one more worker than there are cores.
JOBS ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 1)))
QUICK := tests/kde tests/plan tests/profile tests/gate tests/report tests/proof/test_checks_effects.py

.PHONY: demo test quick check lint bench homes real undos vm report tools clean help requirements audit
help:
	@sed -n 's/^# //p; /^$$/q' Makefile

# Both ways install what uv.lock says, by hash; make requirements writes the file for pip.
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# The programs of .venv name the directory that they were made in: after a move all is made anew.
ifneq (,$(shell [ ! -e $(BIN)/pyinfra ] || [ "$$(cat $(BIN)/.made 2>/dev/null)" = "$$(pwd -P)" ] || \
    grep -qF "$$(pwd -P)/$(BIN)/python" $(BIN)/pyinfra || echo moved))
.PHONY: moved
moved:
	@rm -rf .venv
$(BIN)/.made: moved
endif
$(BIN)/.made: pyproject.toml uv.lock requirements.txt
	@echo "making .venv, once: about half a minute"
	@if command -v uv >/dev/null; then \
	    uv sync --quiet --locked --group dev --compile-bytecode; \
	else \
	    $(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { \
	        echo "$(PYTHON) is older than 3.11; nothing was made; make PYTHON=python3.11" >&2; \
	        exit 1; \
	    }; \
	    $(PYTHON) -m venv .venv && \
	    $(PIP) install --require-hashes --requirement requirements.txt && \
	    $(PIP) install --no-deps --no-build-isolation --editable .; \
	fi
	@said=$$($(BIN)/python -c "import gevent" 2>&1) || { \
	    echo "what was installed cannot be loaded: $$(echo "$$said" | tail -n 1)" >&2; \
	    echo "On NixOS take what nixpkgs builds: nix run . -- inventory/sandbox.py deploy.py --dry" >&2; \
	    exit 1; \
	}
	@pwd -P > $@

demo: $(BIN)/.made
	@$(BIN)/python -m sandbox.demo $(ARGS)

test: $(BIN)/.made
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

quick: $(BIN)/.made
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow" $(ARGS) $(QUICK)

lint: $(BIN)/.made
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

check: lint test

bench: $(BIN)/.made $(if $(shell command -v go),.tools/whole/chezmoi)
	@PATH="$(CURDIR)/.tools/whole:$$PATH" $(BIN)/python -m tests.bench $(ARGS)

real: $(BIN)/.made
	@REAL="$(REAL)" NIXOS_HARDWARE="$(NIXOS_HARDWARE)" $(BIN)/python -m tests.nix.real $(ARGS)

homes: $(BIN)/.made
	@PURE_HOMES=$(or $(PURE_HOMES),1000) $(BIN)/python -m pytest -q tests/kde/test_homes.py
	@HOMES=$(or $(HOMES),100) $(BIN)/python -m pytest -q -n $(JOBS) tests/run/test_homes.py

undos: $(BIN)/.made
	@UNDOS=$(or $(UNDOS),200) $(BIN)/python -m pytest -q tests/remote/test_undo.py -k undos_while

vm: $(BIN)/.made
	@$(BIN)/python -m pytest -v tests/vm $(ARGS)

fuzz:
	@command -v uv >/dev/null || { echo "make fuzz needs uv, which brings atheris" >&2; exit 1; }
	@uv run --quiet --isolated --locked --group dev --group fuzz \
	    python -m tests.fuzz --seconds $(or $(SECONDS),3600) $(ARGS)

report: $(BIN)/.made
	@$(BIN)/python -m converge.report --html report.html $(ARGS)

requirements:
	@uv export --quiet --locked --group dev --no-emit-project --no-header \
	    --format requirements-txt --output-file requirements.txt

audit:
	@sh .ci/audit requirements.txt

tools: $(TOOLS)/chezmoi $(TOOLS)/nixpkgs-fmt $(TOOLS)/sd-switch

# The chezmoi of the tests is chezmoi without one of its modules, see tools/zxcvbn/zxcvbn.go.
$(TOOLS)/chezmoi: tools/go.mod tools/go.sum tools/zxcvbn/zxcvbn.go
	@mkdir -p $(TOOLS)
	@echo "building chezmoi"
	@cp tools/go.mod .tools/tests.mod
	@cp tools/go.sum .tools/tests.sum
	@cd tools && go mod edit -replace github.com/nbutton23/zxcvbn-go=./zxcvbn ../.tools/tests.mod
	@cd tools && GOFLAGS=-mod=mod go build -modfile ../.tools/tests.mod -o ../$@ \
	    github.com/twpayne/chezmoi/v2

# What is measured is chezmoi as people have it.
.tools/whole/chezmoi: tools/go.mod tools/go.sum
	@mkdir -p .tools/whole
	@echo "building chezmoi"
	@cd tools && GOFLAGS=-mod=mod go build -o ../$@ github.com/twpayne/chezmoi/v2

# Neither is optimised: that takes half of the time of a build, and the tests start them seldom.
$(TOOLS)/nixpkgs-fmt:
	@mkdir -p .tools
	@echo "building nixpkgs-fmt"
	@cargo install --quiet --locked --debug --root .tools nixpkgs-fmt --version 1.3.0

$(TOOLS)/sd-switch:
	@mkdir -p .tools
	@echo "building sd-switch"
	@cargo install --quiet --locked --debug --root .tools sd-switch --version 0.6.4

clean:
	@if [ -d .sandbox ]; then chmod -R u+w .sandbox; fi
	rm -rf .venv .sandbox .tools
