// Package clienttest holds no code, only tests: they run the real Codex CLI in
// a bottle, chained through the real programs, against the stand-in provider
// of bottle/lib/providertest. Names do not resolve and nothing leaves the
// machine.
//
// scripts/e2e installs the clients, builds the programs and runs the tests.
// They need two variables, which it sets, and skip without them:
//
//	BOTTLE_E2E_CODEX     folder with codex-0.135 and codex-0.169 in it
//	BOTTLE_E2E_PROGRAMS  folder with bottle-prepare, bottle-egress, bottle-pipelock
//
// What every run is held to, whatever its case, is in oracle_test.go.
package clienttest
