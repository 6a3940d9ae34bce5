# Every target explains itself in the comment behind it; `make help` prints them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.8.0
BENCHSTAT := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
# Where the database of known vulnerabilities is; a copy of it will do: make vuln VULNDB=file:///srv/vulndb
VULNDB ?= https://vuln.go.dev
# A count, because a run that ends by the clock in the middle of an input is reported as a failure.
FUZZTIME ?= 20000x
# The race detector needs a C compiler; without one the tests run all the same, and say so.
RACE := $(shell command -v cc >/dev/null && echo -race)
export CGO_ENABLED := $(if $(RACE),1,0)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

.PHONY: test
test: tools ## run all tests, real Redis and RabbitMQ included, under the race detector where there is a C compiler
	@$(if $(RACE),,echo "no C compiler: running without the race detector";) go test $(RACE) -timeout 15m ./...

# What somebody else's program must confirm is confirmed by curl, openssl and python3.
TOOLS := redis-server rabbitmq-server curl openssl python3 nginx

.PHONY: tools
tools: ## make sure that the programs are there that the tests start
	@missing=(); for tool in $(TOOLS); do command -v $$tool >/dev/null || missing+=($$tool); done; \
	if [ "$${#missing[@]}" = 0 ]; then exit 0; fi; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  echo "installing $${missing[*]}"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$${missing[@]}" >/dev/null; exit 0; fi; \
	echo "$${missing[*]} missing; install that" >&2; exit 1

.PHONY: soak
soak: tools ## the scenarios at their real length, with their report in docs/soak.md; some hours, two of them of steady load
	@long() { HOOKGATE_TEST_LONG=1 go test -json -count=1 -timeout "$$@" || true; }; { \
	  long 60m -run 'TestR[0-9]|TestH04_TwoThousand|TestH10_AFlood' -skip 'TestR13|TestR15|TestR20' ./cmd/hookgate; \
	  long 40m -run TestR13 ./cmd/hookgate; \
	  long 20m -run TestR15 ./cmd/hookgate; \
	  long 150m -run TestR20 ./cmd/hookgate; \
	  long 120m -run 'TestR[0-9]' ./journal; \
	  long 60m -run 'TestR[0-9]' ./forward; \
	  long 10m -run TestS10_TimeTellsNothing ./verifiers; \
	} | go run ./bench/soak

.PHONY: lint
lint: ## gofmt, go mod verify, go vet, staticcheck
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "gofmt wants: $$bad" >&2; exit 1; }
	go mod verify
	go vet ./...
	go run $(STATICCHECK) ./...

.PHONY: check
check: lint test fuzz ## all that a landing runs, and every fuzz target for FUZZTIME (20000x)

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME inputs (20000x)
	@for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg"; \
	  done; done

.PHONY: vuln
vuln: ## known vulnerabilities in what is linked, by govulncheck; needs its database, and says so where it is out of reach
	go mod verify
	@if out=$$(go run $(GOVULNCHECK) -db $(VULNDB) ./... 2>&1); then echo "$$out"; exit 0; fi; \
	echo "$$out"; \
	if grep -q 'fetching vulnerabilities' <<<"$$out"; then \
	  echo "NOT CHECKED: the database at $(VULNDB) is out of reach; run this where it is not, or give VULNDB a copy" >&2; fi; \
	exit 1

.PHONY: mutants
mutants: ## turn round every comparison of what authenticates, and of the address guard, in turn; a test must notice each
	nice go run ./mutants -known verifiers/testdata/mutants.txt -page docs/mutants.md ./verifiers ./verify \
	  guard.go address.go gzip.go request.go secret.go verdict.go

.PHONY: nightly
nightly: lint test mutants soak ## all of it, with a minute for every fuzz target
	$(MAKE) fuzz FUZZTIME=1m

.PHONY: bench
bench: tools ## measure Hookgate beside a bare handler, and write docs/bench.md and docs/bench.json; a quiet machine, BENCH for flags
	go run ./bench compare $(BENCH)

.PHONY: growth
growth: tools ## measure what an event costs as things grow, and write docs/growth.md with plots; half an hour and 6 GiB of disk
	go run ./bench growth $(GROWTH)

# The steps of an event's way: verify, normalise, envelope, accept, forward, and all of them together.
STEPS := ^Benchmark(Verify|Normalize|Netcore|Commbox|Envelope|Accept|Engine|Path)$$
COUNT ?= 6
.PHONY: steps
steps: ## time and allocations of each step against bench/testdata/steps.txt, by benchstat; KEEP=1 writes that anew
	@mkdir -p bin
	go test -run '^$$' -bench '$(STEPS)' -benchmem -benchtime 0.3s -count $(COUNT) . ./verifiers ./normalize ./journal ./forward ./bench \
	  | tee bin/steps.txt | grep --line-buffered '^pkg:'
	$(if $(KEEP),cp bin/steps.txt bench/testdata/steps.txt,go run $(BENCHSTAT) bench/testdata/steps.txt bin/steps.txt)

.PHONY: instructions
instructions: TOOLS := valgrind
instructions: tools ## instructions of each step against bench/testdata/instructions.json, which a busy machine does not move; KEEP=1 writes that anew
	CGO_ENABLED=0 go run ./bench instructions $(if $(KEEP),--keep)

.PHONY: three-nodes
three-nodes: TOOLS := redis-server curl
three-nodes: tools ## run three nodes and one Redis on loopback, until Ctrl-C
	docker/three-nodes.sh

.PHONY: update
update: ## write the golden files and generated pages again
	go test ./configs ./verifiers ./cmd/hookgate -update

.PHONY: build
build: ## a static binary, bin/hookgate
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/hookgate ./cmd/hookgate
