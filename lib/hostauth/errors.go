package hostauth

// Every way in which a login cannot be used has one of these errors, for
// errors.Is. They arrive inside an [*Error], which says where.
var (
	// ErrNoLogin: there is no file, so nobody is signed in.
	ErrNoLogin = problem("no Codex login found",
		`sign in on the host with "codex login"; a login kept in the system's keyring needs cli_auth_credentials_store = "file" in codex's config.toml first`)
	// ErrAPIKey: the file holds an API key, not a ChatGPT login. There is
	// nothing in it to mint a dummy of.
	ErrAPIKey = problem("holds an API key, not a ChatGPT login",
		`sign in with a ChatGPT account ("codex logout", then "codex login"), or give the key a route of its own in bottle.toml`)
	// ErrAuthMode: auth_mode is one that Codex 0.135 and 0.169 do not take
	// from a file, or a newer one.
	ErrAuthMode = problem("auth_mode is not one that a dummy can be minted for",
		`sign in with a ChatGPT account: "codex login"`)
	// ErrNoTokens: a token that Codex needs is missing, null or empty.
	ErrNoTokens = problem("missing", `the login is incomplete; sign in again with "codex login"`)
	// ErrNotJWT: a token is not three base64url parts with a JSON object in
	// the middle.
	ErrNotJWT = problem("not a JWT", `the login is damaged; sign in again with "codex login"`)
	// ErrNoExp: the access token has no exp, or not a whole number of seconds
	// since 1970. A dummy without the real exp would be refreshed at the wrong
	// time.
	ErrNoExp = problem("has no usable exp claim", `sign in again with "codex login"`)
	// ErrBadField: a known field or claim has the wrong type or characters.
	ErrBadField = problem("has the wrong type or unexpected characters", `the login is damaged; sign in again with "codex login"`)
	// ErrNoAccount: the account id is neither in the file nor in a token.
	ErrNoAccount = problem("no account id in the login", `sign in again with "codex login" and choose a workspace`)
	// ErrExpired: the access token's exp has passed.
	ErrExpired = problem("access token has expired",
		`run codex on the host once, so that it renews its login, or sign in again with "codex login"`)
	// ErrNearExpiry: less than the wanted time is left.
	ErrNearExpiry = problem("access token expires too soon",
		`codex on the host renews it only when it runs at its expiry or within 5 minutes of it; sign in again with "codex login" to have a new one now`)
	// ErrUnreadable: the file exists and cannot be read.
	ErrUnreadable = problem("cannot be read", "run as the file's owner, and check the path")
	// ErrOthersMayRead: group or others have rights on the file.
	ErrOthersMayRead = problem("others may read it", "chmod 600 the file")
	// ErrSymlink: the name is a symbolic link.
	ErrSymlink = problem("is a symbolic link", "name the file itself")
	// ErrNotRegular: the name is a directory, FIFO, socket or device.
	ErrNotRegular = problem("is not a regular file", "name the auth.json file itself")
	// ErrTooLarge: more than [MaxSize] bytes.
	ErrTooLarge = problem("is larger than any login", "check that this is codex's auth.json")
	// ErrNotJSON: not one JSON object in UTF-8.
	ErrNotJSON = problem("not a JSON object", "check that this is codex's auth.json")
	// ErrTrailingData: something follows the JSON object.
	ErrTrailingData = problem("has data after the JSON object", `the file is damaged; sign in again with "codex login"`)
	// ErrDuplicateKey: an object names a key twice, so that two readers may
	// see two logins.
	ErrDuplicateKey = problem("names a key twice", `the file is damaged; sign in again with "codex login"`)
)

// sentinel is a problem with what to do about it.
type sentinel struct{ text, hint string }

func problem(text, hint string) error { return &sentinel{text, hint} }

func (s *sentinel) Error() string { return s.text }

// Error reports a login that cannot be used. Its text is made of the name of
// the file and of words of this package: it never holds content of the file.
type Error struct {
	Name  string // file or stream; empty for [ParseCodex]
	Where string // field or claim, in this package's words; may be empty
	Err   error  // one of the Err values of this package
	Cause error  // the file system's error, or nil

	detail string // replaces the text of Err
	hint   string // replaces the hint of Err
	kind   *kind  // whose login it is; nil is Codex's
}

// kind is whose login it is: how the client is called, and what its user does
// about a problem where that is not what a user of Codex does.
type kind struct {
	login string
	texts map[error]string
	hints map[error]string
}

var codexKind = &kind{login: "codex"}

const claudeLogin = `sign in on the host: run "claude" there, and /login`

var claudeKind = &kind{
	login: "claude",
	texts: map[error]string{ErrNoLogin: "no Claude Code login found", ErrNoExp: "is no time in milliseconds since 1970"},
	hints: map[error]string{
		ErrNoLogin:  claudeLogin + "; for an API key or a long-lived token, give the bottle its variable with agent.api_key",
		ErrNoTokens: "the file holds no login; " + claudeLogin, ErrNoExp: claudeLogin, ErrBadField: "the login is damaged; " + claudeLogin,
		ErrExpired:      "run claude on the host once, so that it renews its login",
		ErrNearExpiry:   "run claude on the host near its end, so that it renews its login, or /login there again to have a new one now",
		ErrNotRegular:   "name the .credentials.json file itself",
		ErrTooLarge:     "check that this is Claude Code's .credentials.json",
		ErrNotJSON:      "check that this is Claude Code's .credentials.json",
		ErrTrailingData: "the file is damaged; " + claudeLogin, ErrDuplicateKey: "the file is damaged; " + claudeLogin,
	},
}

func (e *Error) Error() string {
	text := e.detail
	if text == "" {
		text = e.Err.Error()
		if e.kind != nil && e.kind.texts[e.Err] != "" {
			text = e.kind.texts[e.Err]
		}
	}
	if e.Where != "" {
		text = e.Where + ": " + text
	}
	if e.Name != "" {
		return "read " + e.Name + ": " + text
	}
	if e.kind != nil {
		return e.kind.login + " login: " + text
	}
	return codexKind.login + " login: " + text
}

// HintText returns what the operator can do.
func (e *Error) HintText() string {
	if e.hint != "" {
		return e.hint
	}
	if e.kind != nil && e.kind.hints[e.Err] != "" {
		return e.kind.hints[e.Err]
	}
	if s, ok := e.Err.(*sentinel); ok {
		return s.hint
	}
	return ""
}

// Unwrap gives errors.Is and errors.As the problem and, if there is one, the
// file system's error.
func (e *Error) Unwrap() []error {
	if e.Cause != nil {
		return []error{e.Err, e.Cause}
	}
	return []error{e.Err}
}

func bad(where string, err error) error { return &Error{Where: where, Err: err} }
