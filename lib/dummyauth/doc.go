// Package dummyauth mints the login that the agent in a bottle holds: it has
// the shape that the client wants, and no credential.
//
//	dummy, err := dummyauth.Mint(host, seed)
//	os.Stdout.Write(dummy.JSON())
//
// A dummy is built from an allowlist, never by redacting the real login: the
// expiry of the access token, the account id, the plan and the FedRAMP flag
// are copied, all else is constant or comes from the seed. The same login and
// the same seed give the same bytes, so that preparing a bottle twice changes
// nothing; another seed gives other tokens.
//
// Every dummy token carries [Marker] in clear, at the start of the refresh
// token and of the JWTs' third part, so that a scanner can tell a dummy from a
// leak with one string search.
//
// No six characters in a row of a real token stand in the dummy: [Mint] says
// exactly what is promised, and checks it on every dummy that it returns.
//
// Limits: the tokens are not signed, so nobody but a client that only reads
// them takes them for real; whoever knows the seed can compute them. The
// account id and the plan are real, because the client does not work without:
// an agent learns which workspace it works for.
package dummyauth
