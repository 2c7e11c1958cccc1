#!/bin/sh
# What scripts/bottle does, by hand. README.md shows the lines below, and a test
# runs them as they stand there.
# shellcheck disable=SC2046 # agent.env has no value that could be split
set -eu

bottle-prepare --manifest bottle.toml --dir .bottle
bottle-mintauth inspect .bottle/agent/codex/auth.json
bottle-pipelock --config .bottle/pipelock/pipelock.toml --ready-file .bottle/run/pipelock.addr & pipelock=$!
bottle-egress --config .bottle/egress/egress.toml --env-file .bottle/egress/egress.env --ready-file .bottle/run/egress.addr & egress=$!
until [ -s .bottle/run/pipelock.addr ] && [ -s .bottle/run/egress.addr ]; do kill -0 $pipelock $egress || exit 1; sleep 0.02; done
env -i PATH="$PATH" HOME="$PWD/.bottle/agent" $(cat .bottle/agent/agent.env) codex exec 'say hello'
kill $egress $pipelock
