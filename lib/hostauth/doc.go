// Package hostauth reads the logins that a provider's client keeps on the
// host, and says in one error why one of them cannot be used in a bottle.
//
//	path, err := hostauth.CodexPath(os.Getenv)
//	login, err := hostauth.LoadCodex(path)
//	err = login.CheckExpiry(time.Now(), hostauth.DefaultMinTTL)
//
// What is read becomes typed values at once: the credentials are
// [secret.Value]s, account and plan are checked to be plain text, and
// everything that is not known to be needed is dropped. No error quotes the
// file.
//
// Limits: the signatures of the tokens are not verified, as the file is the
// operator's own; a login in the system's keyring cannot be read; the file is
// read once and not watched, which is package credential's part.
package hostauth
