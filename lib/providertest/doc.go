// Package providertest is a stand-in for the services that the Codex CLI and
// Claude Code talk to: an HTTPS server on a loopback address that answers the real clients
// as the real services would, for tests and demonstrations. It needs no internet
// and no account.
//
//	s, err := providertest.Start(providertest.Options{Mode: providertest.WebSocket})
//	defer s.Close()
//	os.WriteFile("auth.json", s.Login().JSON(), 0o600) // a throw-away host login
//	// trust s.CAPEM(), send chatgpt.com:443 to s.Addr(), run the client
//	for _, r := range s.Records() { … }
//
// It serves every host name that is asked for, with leaves of its own
// throw-away authority; like a public one, that authority is not constrained
// to names.
//
//	chatgpt.com, *.chatgpt.com, api.openai.com  the provider: see below
//	auth.openai.com                             POST /oauth/token: see [TokenEndpoint]
//	api.anthropic.com                           POST /v1/messages, to Claude's bearer or key
//	platform.claude.com                         POST /v1/oauth/token: see [TokenEndpoint]
//	any other host                              200 and what arrived, fingerprinted
//	any host                                    GET /demo/stream?n=5&delay_ms=100
//
// The provider's paths answer only to the bearer and the account of the login
// that [Server.Login] returns; anything else gets 401 or 403. The login changes
// with [Server.Rotate], which revokes what was before it, and with a refresh,
// after which the earlier access token is good until it ends. The model is a
// fixed text, with a shell call before it if [Options.ToolCommand] is set. The
// list of models is empty, and so are the MCP servers' lists of tools.
//
// Limits: what the client accepts was measured, what the service really sends
// was not. A stand-in says nothing about the service's own checks.
package providertest
