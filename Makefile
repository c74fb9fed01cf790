# `make` lists the targets. Everything here is the go command; nothing is hidden.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
LINT := $(GO) tool -modfile=internal/tools/lint/go.mod golangci-lint
DEADCODE := $(GO) tool -modfile=internal/tools/lint/go.mod deadcode
PROGRAMS := $(notdir $(wildcard cmd/*))
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X iotbridge/internal/buildinfo.version=$(VERSION)
FUZZTIME ?= 30s
SOAK ?= 10m
IMAGES ?= $(PROGRAMS)
PLATFORMS ?= linux/amd64,linux/arm64
DIST ?= dist
KILLS ?= 50
FLEET ?= 1000

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 18

.PHONY: check
check: ## what CI runs
	CI=true .ci/run

.PHONY: local
local: ## the whole system on this machine, with one liar among the devices
	$(GO) run ./cmd/iotbridge local

.PHONY: build
build: ## every program, static, into bin/
	@mkdir -p bin
	@for p in $(PROGRAMS); do echo "bin/$$p"; CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/$$p ./cmd/$$p; done

.PHONY: cross
cross: ## every program for linux/amd64 and arm64, the agent for armv6 too, into dist/
	@mkdir -p dist
	@one() { \
		local out=dist/$$1-linux-$$2$${3:+v$$3}; \
		echo "$$out"; \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$2 GOARM=$${3:-} $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $$out ./cmd/$$1; \
	}; \
	for p in $(PROGRAMS); do one $$p amd64; one $$p arm64; done; \
	if [[ -d cmd/iotbridge-agent ]]; then one iotbridge-agent arm 6; fi

# The same commit gives the same image; BUILDAH_FLAGS is for what a machine needs beyond.
.PHONY: images
images: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
images: ## OCI images of IMAGES (all) for amd64 and arm64, into dist/ (needs buildah, no daemon)
	@command -v buildah >/dev/null || { echo 'buildah is missing: apt-get install buildah, or docker build --build-arg PROGRAM=iotbridge-ingest .' >&2; exit 1; }
	@mkdir -p $(DIST)
	@for p in $(IMAGES); do \
		out=$(DIST)/$$p.oci.tar name=localhost/$$p:$(VERSION); \
		echo "$$out"; \
		rm -f "$$out"; \
		! buildah manifest exists "$$name" || buildah manifest rm "$$name" >/dev/null; \
		buildah build -q --platform $(PLATFORMS) --manifest "$$name" --timestamp "$$SOURCE_DATE_EPOCH" \
			--build-arg BUILDPLATFORM=linux/$$($(GO) env GOHOSTARCH) \
			--build-arg PROGRAM=$$p --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) $(BUILDAH_FLAGS) . >/dev/null; \
		buildah manifest push -q --all "$$name" "oci-archive:$$out" >/dev/null; \
	done

.PHONY: release
release: ## tarballs, SBOMs and their checksums, the same bytes each time, into dist/
	VERSION='$(VERSION)' deploy/release.sh $(DIST)

.PHONY: test
test: ## all tests
	$(GO) test ./...

.PHONY: race
race: ## the tests under the race detector, in random order (needs a C compiler)
	$(GO) list ./... | grep -v '^iotbridge/docs$$' | CGO_ENABLED=1 xargs $(GO) test -race -shuffle=on

.PHONY: lint
lint: ## go vet, golangci-lint, go.mod in order
	$(GO) vet ./...
	$(LINT) run ./...
	$(GO) mod verify

.PHONY: deadcode
deadcode: ## functions that no program and no test reaches
	$(DEADCODE) -test ./...

.PHONY: fmt
fmt: ## format as the linter wants it
	$(LINT) fmt ./...

.PHONY: golden
golden: ## rewrite the golden files from the code; read the diff before you commit it
	$(GO) test ./schema/... ./docs/... ./cmd/iotbridge-agent ./dashboards/grafana -update

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (30s)
	@$(GO) list -f '{{range .TestGoFiles}}{{$$.ImportPath}} {{$$.Dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$$.ImportPath}} {{$$.Dir}}/{{.}}{{"\n"}}{{end}}' ./... | \
	while read -r pkg file; do \
		[[ -n "$$file" ]] || continue; \
		{ grep -oE '^func Fuzz[A-Za-z0-9_]+' "$$file" || true; } | while read -r _ name; do \
			echo "== $$pkg $$name"; \
			$(GO) test "$$pkg" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x </dev/null; \
		done; \
	done

.PHONY: bench
bench: ## decode, encode, pull and append, with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: soak
soak: ## the local system for SOAK (10m); fails unless nothing was lost
	$(GO) run ./cmd/iotbridge local --data "$$(mktemp -d)" --ephemeral --interval 100ms --for $(SOAK) --json

.PHONY: kill-test
kill-test: ## kill -9 of the local system KILLS times (50): nothing acknowledged is lost
	IOTBRIDGE_KILLS=$(KILLS) $(GO) test -count=1 -timeout 60m -run '^TestKill9_NothingAcknowledgedIsLost$$' -v ./cmd/iotbridge

.PHONY: spool-kill-test
spool-kill-test: ## kill -9 of the agent's spool 2000 times, and every bit of a segment, read whole
	IOTBRIDGE_KILLS=2000 IOTBRIDGE_SPOOL_ALL=1 $(GO) test -count=1 -timeout 60m -run 'Killed|EveryBit' -v ./device/spool

.PHONY: agent-kill-test
agent-kill-test: ## kill -9 of the agent 2000 times while it sends: no reading is lost, no name given twice
	IOTBRIDGE_KILLS=2000 $(GO) test -count=1 -timeout 120m -run TheAgentIsKilled -v ./cmd/iotbridge

.PHONY: fleet-test
fleet-test: ## FLEET (1000) boards without keys enrol at once and publish, each as itself
	IOTBRIDGE_FLEET=$(FLEET) $(GO) test -count=1 -timeout 20m -run AFactoryTurnsItsBoardsOn -v ./cmd/iotbridge

.PHONY: enrol-kill-test
enrol-kill-test: ## kill -9 of agent and gateway 400 times each while boards enrol, renew, are given a key: one credential
	IOTBRIDGE_KILLS=400 $(GO) test -count=1 -timeout 60m -run 'KilledAtEachStep|KilledWhileAKey' -v ./cmd/iotbridge

.PHONY: walk
walk: ## the commands of docs/production.md and of the migration page, top to bottom (needs openssl, curl)
	IOTBRIDGE_WALK=1 $(GO) test -count=1 -run PageRunsFromTopToBottom -v ./docs

.PHONY: drain-test
drain-test: ## seven days of readings drain in 20 minutes within 30 MiB, behind the live ones
	IOTBRIDGE_BACKLOG=604800 $(GO) test -count=1 -timeout 40m -run DaysOfReadingsDrain -v ./cmd/iotbridge

.PHONY: console-test
console-test: ## the console in Debian's Chromium, on the real system; CONSOLE_SCREENSHOTS=DIR keeps pictures
	cd internal/tools/browser && npm ci --ignore-scripts --no-audit --no-fund && npm run --silent vendored && npm run --silent test

.PHONY: console-bench
console-bench: ## the console over 100,000 devices: what its pages take, and what it costs to look on
	$(GO) test -run '^$$' -bench Pages -benchtime 200x ./gateway/console
	$(GO) test -run '^$$' -bench Live -benchtime 1x ./gateway/console

.PHONY: sql
sql: ## every SQL text through the real GoogleSQL analyzer (its first build takes minutes and 7 GB)
	cd internal/tools/googlesql && $(GO) test ./...

.PHONY: k8s-test
k8s-test: ## deploy/k8s through a real API server (needs etcd; its first build takes minutes)
	cd internal/tools/kubernetes && $(GO) test -count=1 ./...

.PHONY: vuln
vuln: ## known vulnerabilities in what we call (needs the network)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

.PHONY: clean
clean: ## remove what make has made
	rm -rf bin dist
