// Package provider is the table of presets: what a bottle for a provider's
// client has that another has not. Programs read it; none of them knows a
// provider by its name.
//
// What stands in the table is measured with the clients that it names, see
// docs/presets.md.
package provider

import "slices"

// Provider is one preset.
type Provider struct {
	// Name is what agent.provider calls it, and its kind of login.
	Name string
	// Client is what its users call the program, Command what they type.
	Client, Command string
	// Hosts get routes with the credential, a place in the filter's allowlist,
	// and are passed through it where egress comes first.
	Hosts []string
	// RefusalStatus is the status on which the client gives up at once and shows
	// the text.
	RefusalStatus int
	// Login is how the client keeps a login, LoginAuth what goes on its
	// requests: "{token}" and the companions that package credential names.
	Login     Login
	LoginAuth []Part
	// TokenHost and TokenPath are where the client renews its login.
	TokenHost, TokenPath string
	// Keys are credentials that stand in a variable instead of a login. The first
	// whose prefix fits is what a value is; nil: the client has none that a
	// bottle could stand in for.
	Keys []Key
	// Variables are set for the agent in any case.
	Variables []Variable
	// Overriding are variables that make the client leave its login aside; a
	// dummy login would be of no use, and a real key in one would be the agent's
	// to see.
	Overriding []string
}

// Login is a client's file of credentials.
type Login struct {
	// File is its name in the directory that DirVariable names, or else in
	// HomeDir below the home directory. In a bottle that directory is agent/
	// and Name.
	File, DirVariable, HomeDir string
}

// Part is one thing that goes on a request; the keys of auth in egress.toml.
type Part struct {
	Scheme, Header, Value string
	Append                bool
}

// Constant reports that the part needs no credential.
func (p Part) Constant() bool { return p.Append }

// Key is a credential in a variable of the client.
type Key struct {
	// Prefix is how its values begin; "" is any.
	Prefix   string
	Variable string
	Auth     []Part
}

// Values of [Variable].
const (
	Bundle    = "{bundle}" // the file of roots that the agent trusts
	Directory = "{dir}"    // the client's directory in the bottle
)

// Variable is one of the agent's environment.
type Variable struct{ Name, Value string }

var anthropicOAuth = []Part{
	{Scheme: "Bearer"},
	// Without this an OAuth token is refused; the client's own betas stay.
	{Header: "anthropic-beta", Value: "oauth-2025-04-20", Append: true},
}

var table = []Provider{
	{
		Name: "codex", Client: "Codex", Command: "codex",
		// Model and account requests go to the first, API requests to the second
		// (0.135 and 0.169).
		Hosts: []string{"chatgpt.com", "api.openai.com"}, RefusalStatus: 400,
		Login:     Login{File: "auth.json", DirVariable: "CODEX_HOME", HomeDir: ".codex"},
		LoginAuth: []Part{{Scheme: "Bearer"}, {Header: "ChatGPT-Account-ID", Value: "{account_id}"}},
		TokenHost: "auth.openai.com", TokenPath: "/oauth/token",
		Variables:  []Variable{{"CODEX_CA_CERTIFICATE", Bundle}, {"CODEX_HOME", Directory}},
		Overriding: []string{"OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN"},
	},
	{
		Name: "claude", Client: "Claude Code", Command: "claude",
		Hosts: []string{"api.anthropic.com"}, RefusalStatus: 400,
		Login:     Login{File: ".credentials.json", DirVariable: "CLAUDE_CONFIG_DIR", HomeDir: ".claude"},
		LoginAuth: anthropicOAuth,
		TokenHost: "platform.claude.com", TokenPath: "/v1/oauth/token",
		Keys: []Key{
			{Prefix: "sk-ant-oat", Variable: "CLAUDE_CODE_OAUTH_TOKEN", Auth: anthropicOAuth}, // of claude setup-token
			{Variable: "ANTHROPIC_API_KEY", Auth: []Part{{Header: "x-api-key"}}},
		},
		// The second leaves settings, limits and messages, which is what it needs.
		Variables:  []Variable{{"CLAUDE_CONFIG_DIR", Directory}, {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"}},
		Overriding: []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"},
	},
}

// All returns every preset, in the order of the documentation. The caller must
// not change them.
func All() []Provider { return slices.Clone(table) }

// Find returns the preset called name.
func Find(name string) (Provider, bool) {
	i := slices.IndexFunc(table, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return Provider{}, false
	}
	return table[i], true
}

// Names returns the names of all presets.
func Names() []string {
	var names []string
	for _, p := range table {
		names = append(names, p.Name)
	}
	return names
}
