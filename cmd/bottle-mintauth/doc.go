/*
Bottle-mintauth makes the login that the agent in a bottle holds: a dummy of
the host's login, which has the shape that the client wants and no credential.

Usage:

	bottle-mintauth codex|claude [--in FILE|-] [--out FILE|-] [--min-ttl 10m]
	bottle-mintauth inspect [--format text|json] [FILE|-]

# codex

Codex reads the auth.json of a Codex CLI that is signed in with a ChatGPT
account, and writes the dummy's auth.json.

	--in FILE       the host's login; - is standard input. Default: auth.json in
	                $CODEX_HOME, then in ~/.codex.
	--out FILE      where to write, mode 0600, all at once or not at all; - (the
	                default) is standard output.
	--min-ttl 10m   refuse a login whose access token expires sooner.

The dummy keeps the account id, the plan, and the expiry of the access token,
because the client does not work right without them. All else is constant or
random, and another run gives another dummy. Each of its tokens carries the
text "bottle-dummy-", by which scanners can tell it from a leak. The real
tokens go nowhere: the egress stage puts the access token on requests.

The input must be a regular file that only its owner may read. The output is
refused if it is the input under any name, a symbolic link, or a file that
holds a real login.

# claude

Claude does the same for the .credentials.json of a Claude Code that is signed
in with a subscription, which is looked for in $CLAUDE_CONFIG_DIR, then in
~/.claude. The dummy keeps the scopes, the plan, its rate tier and the expiry;
tokens of MCP servers in the same file stay out of it.

# inspect

Inspect says what a login is: its kind, whether it is a bottle's dummy, its
plan, account and expiry. It prints no token, and exits with 0 for an expired
login too. With --format json it prints one object:

	{"kind":"codex","dummy":false,"auth_mode":"chatgpt","plan":"pro",
	 "account_id":"…","expires":"2026-12-03T10:00:00Z","seconds_left":864000,
	 "expired":false}

where plan is empty if the login names none, account_id is missing for a login
of claude, and seconds_left is negative once
it has expired. Options come before FILE.

# Environment

BOTTLE_MINTAUTH_IN, BOTTLE_MINTAUTH_OUT, BOTTLE_MINTAUTH_MIN_TTL and
BOTTLE_MINTAUTH_FORMAT stand in for the options, which win over them.
CODEX_HOME, CLAUDE_CONFIG_DIR and HOME say where the login is looked for.

# Exit codes

0 done; 1 the output could not be written; 2 misuse, or a login that cannot
be used. Messages go to standard error, with a hint where there is one; none
of them quotes the login.

# Limits

A login in the system's keyring cannot be read: set
cli_auth_credentials_store = "file" in codex's config.toml and sign in again.
API keys have no dummy. A dummy ends when the real token does; bottle-egress
then answers its client's refresh with a new one. The agent learns the account id and the plan. Tokens are not
verified; that is the provider's part.
*/
package main
