# Everything that people and CI do here; `make` alone lists it. Needs Python >= 3.11 and make, nothing else.
# PYTHON=... chooses the interpreter, ARGS=... hands more arguments to the program that a target runs.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: venv demo test test-system security soak chaos rolling bench lint k8s-check generate settings requirements \
	dashboard-picture release dist image clean help FORCE

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

RUN := .venv/bin/python -m
GENERATE := .venv-generate/bin/python proto/generate.py
INTO_SHIPPED := .venv-generate/bin/python -m pip --python build/shipped/bin/python install
PROJECTS := proto/pyproject.toml service/pyproject.toml clients/python/pyproject.toml
DISTRIBUTIONS := $(addprefix identity-provisioning-,api service client)
DIST := dist
IMAGE := identity-provisioning-service:dev
# One more than there are cores: much of what the tests do is waiting for servers of theirs.
TEST_WORKERS := $(shell expr `getconf _NPROCESSORS_ONLN` + 1)

# Sets $python to an interpreter that is new enough and can make environments, or says what is missing.
find_python = \
	for python in $(if $(PYTHON),"$(PYTHON)",python3.14 python3.13 python3.12 python3.11 python3); do \
		"$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "$(or $(PYTHON),python3) cannot be used: Python >= 3.11 with its venv module is needed" \
			"(on Debian: python3-venv). Say which with PYTHON=/path/to/python3." >&2; \
		exit 1; \
	fi

# An environment remembers the folder that it was made in: a moved or copied checkout makes its own.
stale = $(if $(wildcard $(1)/made-in),$(shell [ "`cat $(1)/made-in`" = "`pwd -P`" ] || echo FORCE))

venv: .venv/made-in ## make .venv: the server, the client, tests and linters

.venv/made-in: tests/requirements.txt $(PROJECTS) $(call stale,.venv)
	@$(find_python); \
	echo "Making .venv with $$python; this takes about 35 s, and is done again only when requirements change."; \
	rm -rf .venv && "$$python" -m venv .venv && \
	$(RUN) pip install -q -q --require-hashes -r tests/requirements.txt && \
	$(RUN) pip install -q -q --no-build-isolation --no-deps -e proto -e service -e clients/python && \
	pwd -P > $@

.venv-generate/made-in: proto/requirements.txt $(call stale,.venv-generate)
	@$(find_python); \
	echo "Making .venv-generate, the environment of the generators; this takes about 15 s."; \
	rm -rf .venv-generate && "$$python" -m venv .venv-generate && \
	.venv-generate/bin/python -m pip install -q -q --require-hashes -r proto/requirements.txt && \
	pwd -P > $@

FORCE:

demo: .venv/made-in ## provision users in an AWS account that runs on this machine; look at what happens
	@.venv/bin/python examples/demo.py $(ARGS)

test: .venv/made-in ## run all tests that need no system programs
	@$(RUN) pytest -m "not system" -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-system: .venv/made-in ## run the tests that need system programs: aws, buildah, mmdebstrap, age, prometheus
	@$(RUN) pytest -m system $(ARGS)

security: .venv/made-in ## try what attackers try, search for leaked secrets, and print the figures; takes some minutes
	@$(RUN) tests.security $(ARGS)

soak: .venv/made-in ## run the races in the embedded account for 100 rounds instead of 4
	@SOAK_ROUNDS=100 $(RUN) pytest tests/unit/embedded_aws/test_concurrency.py $(ARGS)

chaos: .venv/made-in ## kill and pause servers at work and compare the account with what was asked; RUNS=200 SEED=1 MODE=bulk
	@$(RUN) tests.chaos --runs $(or $(RUNS),200) --seed $(or $(SEED),1) --mode $(or $(MODE),both) $(ARGS)

rolling: .venv/made-in ## restart two servers in turn under load; count failed calls and doubled effects; RESTARTS=100
	@$(RUN) tests.rolling --restarts $(or $(RESTARTS),100) $(ARGS)

bench: .venv/made-in ## measure; nothing passes or fails, and figures of a busy machine mean little
	@for script in tests/benchmarks/bench_*.py; do $(RUN) "$$(echo "$${script%.py}" | tr / .)" $(ARGS) || exit; done

lint: .venv/made-in .venv-generate/made-in ## check style, types, import directions and the contract
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@.venv/bin/lint-imports
	@.venv/bin/hadolint Dockerfile && echo "The Dockerfile has no warnings."
	@for folder in examples/authorization k8s/base/authorization k8s/overlays/local/authorization; do \
		printf '%s: ' "$$folder" && $(RUN) identity_service authz check --folder "$$folder" || exit; \
	done
	@$(GENERATE) --check && echo "The contract is well formed, and what is generated from it is up to date."

k8s-check: .venv/made-in ## render the overlays of k8s/, check them by schemas and rules; ARGS=FOLDER, ARGS=--rules
	@$(RUN) tests.k8s $(ARGS)

generate: .venv-generate/made-in ## make the contract's code again, after a change of a .proto
	@$(GENERATE)

settings: .venv/made-in ## make docs/settings.md again, after a change of the settings
	@$(RUN) identity_service.settings_table > docs/settings.md

build/picture/made-in: tests/requirements-picture.txt .venv-generate/made-in $(call stale,build/picture)
	@rm -rf build/picture && .venv-generate/bin/python -m venv build/picture && \
	build/picture/bin/python -m pip install -q -q --require-hashes -r tests/requirements-picture.txt && \
	pwd -P > $@

dashboard-picture: .venv/made-in build/picture/made-in ## draw docs/images/dashboard.png again, in 6 minutes; ARGS=--seconds=60
	@$(RUN) tests.system.dashboard_figures build/dashboard-figures.json $(ARGS)
	@build/picture/bin/python tests/system/draw_dashboard.py build/dashboard-figures.json docs/images/dashboard.png

release: .venv-generate/made-in ## record the contract as the one that later changes may not break
	@$(GENERATE) --release

# The constraint keeps one version of everything: what is tested is what is shipped.
uv_compile = "$(CURDIR)/.venv-generate/bin/uv" pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate $(ARGS)

requirements: .venv-generate/made-in ## make the hashed requirement files from their .in; ARGS=--upgrade for new versions
	@cd proto && $(uv_compile) requirements.in -o requirements.txt
	@cd tests && $(uv_compile) requirements.in -o requirements.txt
	@cd tests && $(uv_compile) requirements-picture.in -o requirements-picture.txt
	@cd service && $(uv_compile) -c ../tests/requirements.txt requirements.in -o requirements.txt
	@cd service && $(uv_compile) -c ../tests/requirements.txt requirements-build.in -o requirements-build.txt
	@cd service && $(uv_compile) -c ../tests/requirements.txt requirements-embedded.in -o requirements-embedded.txt
	@cd clients/python && $(uv_compile) -c ../../tests/requirements.txt requirements.in -o requirements.txt
	@cd clients/python && $(uv_compile) -c ../../tests/requirements.txt requirements-cli.in -o requirements-cli.txt

# An environment of what is released and all that it brings: what the bill of materials is taken from.
build/shipped/made-in: service/requirements-embedded.txt clients/python/requirements-cli.txt .venv-generate/made-in \
	$(call stale,build/shipped)
	@rm -rf build/shipped && .venv-generate/bin/python -m venv --without-pip build/shipped
	@for requirements in $(filter %.txt,$^); do \
		$(INTO_SHIPPED) -q -q --require-hashes -r $$requirements || exit; \
	done
	@pwd -P > $@

dist: build/shipped/made-in ## build a release into dist/ (or DIST=...): wheels, source archives, bill of materials, licences
	@rm -rf "$(DIST)" && mkdir -p "$(DIST)"
	@for folder in $(patsubst %/,%,$(dir $(PROJECTS))); do \
		(cd $$folder && "$(CURDIR)/.venv-generate/bin/python" -m hatchling build -d "$(abspath $(DIST))") || exit; \
	done
	@$(INTO_SHIPPED) -q -q --no-deps --no-index --force-reinstall --find-links "$(DIST)" $(DISTRIBUTIONS)
	@.venv-generate/bin/cyclonedx-py environment --output-reproducible -o "$(DIST)/sbom.cdx.json" build/shipped/bin/python
	@.venv-generate/bin/python .ci/licences.py "$(DIST)/sbom.cdx.json" > "$(DIST)/licences.md"

# How pip reaches packages here goes along; the certificates as a secret mount, so that no layer keeps them.
pip_access = $(foreach name,PIP_INDEX_URL PIP_EXTRA_INDEX_URL,$(if $($(name)),--build-arg $(name)))
certificates = $(or $(PIP_CERT),$(REQUESTS_CA_BUNDLE))
ifneq ($(certificates),)
pip_access += --build-arg PIP_CERT=/run/secrets/certificates --secret "id=certificates,src=$(certificates)"
endif

image: ## build the server's container image with docker, podman or buildah; BUILDER=... IMAGE=... TARGET=demo
	@for builder in $(or $(BUILDER),docker podman buildah); do \
		"$$builder" info >/dev/null 2>&1 && break; \
		if command -v "$$builder" >/dev/null; then why="does not answer"; else why="is not installed"; fi; \
		tried="$$tried $$builder $$why."; builder=; \
	done; \
	if [ -z "$$builder" ]; then \
		echo "No builder of images works here:$$tried Install one (on Debian: buildah), or start its engine" \
			"(what is wrong, \`docker info\` says). BUILDER=... names another." >&2; \
		exit 1; \
	fi; \
	echo "Building $(IMAGE) with $$builder."; \
	while read -r name _ value; do [ "$$name" != version ] || version=$${value#\"}; done < proto/pyproject.toml; \
	"$$builder" build -t "$(IMAGE)" --target $(or $(TARGET),server) --build-arg "VERSION=$${version%\"}" \
		$(pip_access) $(ARGS) .

clean: ## remove everything that was made: environments, builds, caches
	@rm -rf .venv .venv-generate build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name .git -prune -o -type d \( -name __pycache__ -o -name '*.egg-info' \) -prune -exec rm -rf {} +

help: ## list these targets
	@echo "make TARGET [PYTHON=python3] [ARGS=...]"
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '  %-17s %s\n' "$$target" "$$text"; \
	done
