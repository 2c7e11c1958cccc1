// Package clienttest holds no code, only tests: they run the real Codex CLI and
// the real Claude Code in a bottle, chained through the real programs, against
// the stand-in provider of bottle/lib/providertest, and the real git and npm
// against servers of their own. Names do not resolve and nothing leaves the
// machine.
//
// scripts/e2e installs the clients, builds the programs and runs the tests.
// They need three variables, which it sets, and skip without them:
//
//	BOTTLE_E2E_CODEX     folder with codex-0.135 and codex-0.169 in it
//	BOTTLE_E2E_CLAUDE    folder with claude in it
//	BOTTLE_E2E_PROGRAMS  folder with bottle-prepare, bottle-egress, bottle-pipelock
//
// What every run is held to, whatever its case, is in oracle_test.go.
package clienttest
