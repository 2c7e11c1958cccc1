# make builds the four programs into bin/; make help lists the rest.

# The commit goes into --version where git can tell it.
BUILDVCS := $(shell git status >/dev/null 2>&1 && echo auto || echo false)

# urfave_cli_no_docs leaves out what writes manual pages from flags: ours are written by hand.
# What runs at the start alone, or hardly ever, or once a connection (messages of TLS), is not inlined: a fifth of a megabyte.
COLD := $(foreach p,github.com/urfave/cli/v2 github.com/BurntSushi/toml text/template/... encoding/asn1 encoding/pem \
	regexp/syntax flag mime/... log/... math/big vendor/golang.org/x/crypto/... github.com/fsnotify/fsnotify bottle/lib/tomlfile,-gcflags='$(p)=-l')

build: ## build the four programs into bin/, static and stripped
	CGO_ENABLED=0 go build -trimpath -buildvcs=$(BUILDVCS) -tags urfave_cli_no_docs $(COLD) -ldflags '-s -w' -o bin/ ./cmd/...

run: build ## show the main job on this machine alone: no internet, no login
	scripts/demo

test: build ## run every test: packages, scripts, each stage alone, the real clients
	go test -race ./...
	go test -tags purego ./lib/dlp
	go test ./scripts/corpus
	cd scripts/bench && go test ./...
	scripts/alone/all
	scripts/e2e

bench: build ## measure the stages and the scanner against others; BENCH= options
	scripts/bench/run bin $(BENCH)

check: build ## format, vet, linters, sizes
	scripts/check

clean: ## remove what make built
	rm -rf bin

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 8

.PHONY: build run test bench check clean help
