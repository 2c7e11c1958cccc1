// Package scriptstest holds no code, only tests: they run the scripts of this
// folder as their users do, with freshly built programs, against the stand-in
// provider of bottle/lib/providertest. Loopback only.
package scriptstest
