// Package renew renews a login at its provider, as the one owner of it: when
// the access token nears its end and nobody has rotated it, it exchanges the
// refresh token for a new pair and writes the login back.
//
//	r := renew.New(renew.Options{Kind: renew.Codex, Path: path, Transport: renew.Transport(dial, roots), Log: log})
//	go r.Run(ctx)
//
// A refresh token works once. Whoever uses it has to keep what came back, and
// two who use it at a time lose the login. So:
//
//   - One flight. A lock beside the login, which the kernel takes off a process
//     that dies, keeps others of this program out; whoever gets it reads the
//     login again first, and uses what somebody else has put there.
//   - Nothing is asked before it is sure that the answer can be kept: the file
//     that takes it is there, has the login's owner and mode, and its space.
//   - The answer is on the disk before the login is replaced, by a rename. A
//     process that is killed between the two leaves a file from which the next
//     one finishes.
//   - What is not known of the login is kept: its bytes change only where a
//     renewed value stands.
//   - What fails is not tried again at once, but after a growing, random time;
//     a refresh token that the provider has refused is not tried again at all.
//     The old access token stays where it is and works until its end.
//
// Limits: between the provider's taking the refresh token and the answer's
// being on this disk there is a moment in which a crash loses the new one; the
// access token that is in the login still works then, and renewal asks for a
// sign-in. The provider's own client takes part in the lock of nobody: it reads
// its login again before it refreshes, and refreshes later than this package,
// but a race of the two is one that the provider decides. Extended attributes
// and ACLs of the file are not kept.
package renew
