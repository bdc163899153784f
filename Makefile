# The one task list, for people and for CI. `make help` says what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
# ROS 2 has an environment of its own: 280 MB that nothing but the companion's node and its tests need.
ROS := .venv-ros/ready
# What the pages load in the browser, pinned by package-lock.json.
ASSETS := src/surefoot/server/pages/static/vendor/versions.json
# The vendor's client for Node.js, which tests of AWS IoT Jobs converse with.
AWS_CLIENT := tests/aws_clients/node_modules/ready
# Options for the command a target runs, such as: make run ARGS="--robots 50", make test ARGS="tests/wire -k offer"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: setup run test check bench docs screenshots lock clean help

setup: $(READY) $(ASSETS) $(AWS_CLIENT) $(ROS) ## make .venv and .venv-ros with the pinned dependencies, and bring what the tests need of Debian

# Programs that tests drive for real. Where this may not install them, those tests fail with the command that does.
DEBIAN_PACKAGES := openssl rauc squashfs-tools dbus postgresql softhsm2 systemd procps \
  mosquitto mosquitto-dev chromium cmake gcc g++ python3-dev
DEBIAN_PROGRAMS := /usr/bin/openssl /usr/bin/rauc /usr/bin/mksquashfs /usr/bin/dbus-daemon /usr/bin/pg_lsclusters \
  /usr/bin/softhsm2-util /usr/bin/systemd-analyze /usr/bin/ps \
  /usr/sbin/mosquitto /usr/include/mosquitto_plugin.h /usr/bin/chromium /usr/bin/cmake /usr/bin/g++

# The stamp makes set-up a matter of milliseconds, and of no network, until what it was made from changes.
$(READY): pyproject.toml requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "Surefoot needs Python 3.11 or newer, and there is no '$(PYTHON)': install it, or name one with 'make PYTHON=python3.12 $(MAKECMDGOALS)'." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Surefoot needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) -V 2>&1): name a newer one with 'make PYTHON=python3.12 $(MAKECMDGOALS)'." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Surefoot needs Python's venv module, which '$(PYTHON)' lacks: on Debian and Ubuntu, 'apt-get install python3-venv' brings it." >&2; exit 1; }
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! ls $(DEBIAN_PROGRAMS) >/dev/null 2>&1; then \
	  echo "Installing $(DEBIAN_PACKAGES) for the tests."; apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(DEBIAN_PACKAGES) >/dev/null; fi
	@echo "Setting up $(VENV); this takes about a minute, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --no-deps --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation --editable .
	@touch $@

$(ROS): $(READY) scripts/make_ros.sh ros2/requirements.lock $(wildcard ros2/robot_interfaces/*.* ros2/robot_interfaces/srv/*)
	@PYTHON=$(PYTHON) scripts/make_ros.sh || echo "Going on without ROS 2: the tests that need it will say so."

$(ASSETS): $(READY) scripts/fetch_assets.py package.json package-lock.json
	@$(BIN)/python scripts/fetch_assets.py
	@touch $@

$(AWS_CLIENT): $(READY) tests/aws_clients/package-lock.json
	@$(BIN)/python scripts/fetch_assets.py --install tests/aws_clients
	@touch $@

run: $(READY) $(ASSETS) ## start the server with a demonstration fleet at https://127.0.0.1:8443
	@$(BIN)/surefoot demo --data var/demo --port 8443 $(ARGS)

test: $(READY) $(ASSETS) $(AWS_CLIENT) $(ROS) ## run every test, in random order, on all cores
	@$(BIN)/pytest --numprocesses auto --dist worksteal $(ARGS)

check: $(READY) ## format, lint, types, import contracts, tables and house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter
	$(BIN)/pytest --quiet tests/test_house_rules.py $(wildcard tests/agent/test_table.py)

# A fuzzer that stops early has looked nowhere: its million inputs take some minutes.
bench: $(READY) ## run every benchmark in its short form, and the fuzzer in full
	@for script in bench/*.py; do echo "== $$script"; \
	  case $$script in bench/fuzz.py) form= ;; *) form=--quick ;; esac; \
	  $(BIN)/python $$script $$form $(ARGS) || exit 1; done

screenshots: $(READY) $(ASSETS) ## take the pictures of every page into docs/screenshots
	$(BIN)/python scripts/make_screenshots.py

docs: $(READY) ## write docs/reference anew from the code
	$(BIN)/python scripts/make_docs.py

lock: $(READY) ## choose the newest versions pyproject.toml allows and pin them in requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra demo --extra hsm --extra awskms --group dev --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --output-file ros2/requirements.lock ros2/requirements.in
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --constraint requirements.lock --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --output-file contrib/requirements-server.lock \
	  pyproject.toml contrib/requirements-build.in

clean: ## remove what make made; what Surefoot keeps in var/ stays
	rm -rf $(VENV) .venv-ros src/surefoot/server/pages/static/vendor tests/aws_clients/node_modules .cache .hypothesis dist
	find src tests scripts bench -name __pycache__ -prune -exec rm -rf {} +

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
