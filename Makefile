# `make help` lists the targets. Everything runs from .venv, which is made on first use.
.DEFAULT_GOAL := help
BIN := .venv/bin
# Without byte code each process compiles all that it imports, those of pytest and of smolctl, too.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help venv deps demo test fuzz proof host-agreement test-qemu check fmt docs bench bench-readme clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

venv: .venv/.installed ## make .venv (again when requirements-dev.txt changed)

.venv/.requirements: requirements.txt requirements-dev.txt scripts/make-venv
	@scripts/make-venv
	@touch $@

# Enough to run smolctl.
.venv/.run: requirements.txt scripts/make-venv
	@scripts/make-venv run
	@touch $@

# The entry point and the version are copied at install time, so pyproject.toml counts too.
.venv/.installed: .venv/.requirements pyproject.toml smolctl/__init__.py Makefile
	@$(BIN)/python -m pip install -qq --no-input --disable-pip-version-check \
		--no-build-isolation --no-deps --editable .
	@touch $@

.venv/.bench: requirements-bench.txt .venv/.requirements
	@scripts/make-venv requirements-bench.txt
	@touch $@

deps: ## install the Debian packages that end-to-end tests use (as root; otherwise say what is missing)
	@scripts/deps

demo: $(if $(wildcard .venv/.requirements),venv,.venv/.run) ## what smolctl does, in one minute, without privileges
	@# 141: whoever read it has seen enough.
	@scripts/demo || [ $$? -eq 141 ]

test: venv deps ## all tests, then lint and types
	@# More workers than processors: many tests wait for a kernel or for time to pass. Those that wait most
	@# are neighbors: a worker that has nothing left to do takes tests of another.
	$(BIN)/python -m pytest -n 5 --dist worksteal
	@$(MAKE) --no-print-directory check

fuzz: venv ## tests with random input, each with 1,000 new examples, or TEST_EXAMPLES=N; takes 15 minutes
	TEST_EXAMPLES=$${TEST_EXAMPLES:-1000} $(BIN)/python -m pytest -n 2 -m hypothesis --timeout=0

proof: venv ## tests about large numbers, in full; make test does a share of each
	TEST_PROOF=1 $(BIN)/python -m pytest -n 2 -m proof --timeout=600

host-agreement: venv ## twins of the host beside the kernel: N=2000 random questions, SEED=600; as root; writes docs/host.md
	$(BIN)/python -m tests.host.agreement $(or $(N),2000) --seed $(or $(SEED),600) $(if $(wildcard docs/host.md),--page)

test-qemu: venv ## a Linux guest in QEMU as the peer, in software (docs/qemu.md)
	@scripts/deps qemu-system-x86_64=qemu-system-x86 busybox=busybox-static cc=gcc
	@scripts/qemu-guest build/qemu
	SMOLCTL_QEMU_GUEST=$(CURDIR)/build/qemu $(BIN)/python -m pytest tests/qemu

check: venv ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy smolctl tests bench

fmt: venv ## format, and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: venv ## write what docs/ shows of smolctl's output, and the man pages
	$(BIN)/python man/generate.py
	$(BIN)/python -m tests.docs.write

bench: venv .venv/.bench ## measure speed as ratios, in one run
	$(BIN)/python -m bench

bench-readme: venv .venv/.bench ## measure, and put the table into README.md
	$(BIN)/python -m bench --readme

clean: ## remove everything that can be made again
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/results.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
