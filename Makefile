# Everything needed is set up by the targets themselves, from Python >= 3.11 and make.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input install --quiet
# Stamps, newer than what they were made from.
LOCKED := $(VENV)/.stamp-locked
RUN := $(VENV)/.stamp-run
DEV := $(VENV)/.stamp-dev
FUZZ := $(VENV)/.stamp-fuzz

DURATION ?=
DEMO_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=
PICTURES_ARGS ?=
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=

.PHONY: help
help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(RUN) ## a model in service, its quality falling, an alert delivered (DURATION=120 to end by itself)
	@scripts/apt-tools.sh prometheus=prometheus 'prometheus-alertmanager|alertmanager=prometheus-alertmanager'
	@exec $(PY) -m exporter demo $(if $(DURATION),--duration $(DURATION)) $(DEMO_ARGS)

.PHONY: test
test: $(DEV) ## all tests (PYTEST_ARGS='-k name' for some)
	@scripts/apt-tools.sh prometheus=prometheus promtool=prometheus \
		'prometheus-alertmanager|alertmanager=prometheus-alertmanager' amtool=prometheus-alertmanager \
		'chromium|chromium-browser|google-chrome=chromium' 'gcc|cc=build-essential'
	@$(PY) -m pytest -n logical --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

.PHONY: fuzz
fuzz: $(FUZZ) ## coverage-guided fuzzing of every decoder (FUZZ_SECONDS=60 each, FUZZ_TARGETS='csv arrow')
	@$(PY) -m tests.fuzz.run --seconds $(FUZZ_SECONDS) $(FUZZ_TARGETS)

.PHONY: bench
bench: $(DEV) ## every figure with its aim, beside peers (BENCH_ARGS='--quick' or '--only ingest')
	@$(PY) -m benchmarks $(BENCH_ARGS)

.PHONY: lint
lint: $(DEV) ## ruff: rules and format
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

.PHONY: types
types: $(DEV) ## mypy, strict
	@$(PY) -m mypy

.PHONY: format
format: $(DEV) ## put the code into its format
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

.PHONY: lock
lock: $(DEV) ## write the lock files anew (LOCK_ARGS=--upgrade for the newest versions)
	@scripts/lock.sh $(VENV)/bin/uv $(LOCK_ARGS)

.PHONY: dashboards
dashboards: $(DEV) ## write grafana/dashboards/*.json from grafana/build.py
	@$(PY) -m grafana.build

.PHONY: pictures
pictures: $(DEV) ## take docs/images/*.png of the dashboards (npm, Chromium, Prometheus; 8 minutes)
	@scripts/apt-tools.sh prometheus=prometheus npm=npm 'chromium|chromium-browser|google-chrome=chromium'
	@$(PY) -m grafana.pictures $(PICTURES_ARGS)

.PHONY: manifests
manifests: $(DEV) ## write deploy/kubernetes/monitoring/prometheusrules.yaml from prometheus/rules
	@$(PY) -m deploy.kubernetes.build

.PHONY: image-test
image-test: $(DEV) ## build and run the container image for real (root; debootstrap, buildah, podman)
	@deploy/image_test.sh

.PHONY: clean
clean: ## remove what the targets made
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(LOCKED): requirements.lock requirements-build.lock
	@scripts/make-venv.sh
	@touch $@

$(RUN): $(LOCKED) pyproject.toml
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUN) requirements-dev.lock
	@echo "installing what the tests need (requirements-dev.lock)"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

$(FUZZ): $(DEV) requirements-fuzz.lock
	@echo "installing what fuzzing needs (requirements-fuzz.lock)"
	@$(PIP) --require-hashes -r requirements-fuzz.lock
	@touch $@
