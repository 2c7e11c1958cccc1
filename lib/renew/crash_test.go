package renew

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain is also the process that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("RENEW_LOGIN"); path != "" {
		renewAndDie(path)
		return
	}
	os.Exit(m.Run())
}

func renewAndDie(path string) {
	r := New(Options{Kind: Codex, Path: path, Transport: transportTo(os.Getenv("RENEW_ADDR"), []byte(os.Getenv("RENEW_CA")))})
	r.step = func(s string) {
		if s == os.Getenv("RENEW_DIE_AT") {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	_, l, err := r.read()
	if err == nil {
		_, err = r.renew(context.Background(), l.access, false)
	}
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

func (p *tokenServer) process(path, dieAt string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{"RENEW_LOGIN=" + path, "RENEW_DIE_AT=" + dieAt, "RENEW_ADDR=" + p.server.Listener.Addr().String(), "RENEW_CA=" + string(p.ca.CertPEM())}
	return cmd
}

func requireKilled(t *testing.T, err error) {
	t.Helper()
	ee, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, syscall.SIGKILL, ee.Sys().(syscall.WaitStatus).Signal())
}

func TestAProcessKilledAtAnyStepLeavesAUsableLogin(t *testing.T) {
	for _, tc := range []struct {
		at   string
		then string // what the next process finds, and does
	}{
		{"locked", "renews"},
		{"prepared", "renews"},
		{"asking", "renews"}, // killed while the provider thinks, which then did not answer
		{"answered", "old"},  // the moment in which the new refresh token is lost
		{"written", "finishes"},
		{"synced", "finishes"},
		{"renamed", "new"},
	} {
		t.Run(tc.at, func(t *testing.T) {
			p := newProvider(t)
			path := p.codexFile(t, 5*time.Minute)
			r, log := p.renewer(t, Codex, path)
			old := mustRead(t, r)
			cmd := p.process(path, tc.at)
			came, killed := make(chan struct{}), make(chan struct{})
			if tc.at == "asking" {
				p.set(func() {
					p.instead = func(http.ResponseWriter, *http.Request) {
						close(came)
						<-killed
						panic(http.ErrAbortHandler)
					}
				})
			}
			require.NoError(t, cmd.Start())
			if tc.at == "asking" {
				<-came
				require.NoError(t, cmd.Process.Kill())
			}
			requireKilled(t, cmd.Wait())
			close(killed)
			p.set(func() { p.instead = nil })

			// Whatever reads the login now finds a whole one with a token that works.
			left := mustRead(t, r)
			require.True(t, left.expiry.After(time.Now()))
			st, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), st.Mode())

			_, before := p.counts()
			r.mend(t.Context())
			changed, err := r.renew(t.Context(), old.access, false)
			after := mustRead(t, r)
			_, accepted := p.counts()
			if tc.then == "old" {
				require.ErrorContains(t, err, "refresh_token_reused")
				require.Equal(t, old.access.Expose(), after.access.Expose())
				require.Contains(t, log.String(), "the host has to sign in again")
				require.Contains(t, log.String(), "level=ERROR")
			} else {
				require.NoError(t, err)
				require.True(t, changed)
				require.Equal(t, p.login(1, 0).RefreshToken(), after.refresh.Expose())
				require.Equal(t, 1, accepted, "the new refresh token is not lost")
				if tc.then != "renews" {
					require.Equal(t, 1, before)
				}
			}
			require.Equal(t, []string{"auth.json"}, files(t, path))
		})
	}
}

// A renewal that was cut off is worth nothing once the login is another one.
func TestAnOldJournalIsThrownAway(t *testing.T) {
	p := newProvider(t)
	path := p.codexFile(t, 5*time.Minute)
	requireKilled(t, p.process(path, "synced").Run())
	require.Len(t, files(t, path), 2)
	require.NoError(t, os.WriteFile(path, p.login(7, 100*time.Hour).JSON(), 0o600)) // signed in again
	r, _ := p.renewer(t, Codex, path)
	r.mend(t.Context())
	require.Equal(t, p.login(7, 0).RefreshToken(), mustRead(t, r).refresh.Expose())
	require.Equal(t, []string{"auth.json"}, files(t, path))
}

func TestManyProcessesRefreshOnceBetweenThem(t *testing.T) {
	p := newProvider(t)
	path := p.codexFile(t, 5*time.Minute)
	var cmds []*exec.Cmd
	for range 4 {
		cmd := p.process(path, "")
		require.NoError(t, cmd.Start())
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		require.NoError(t, cmd.Wait())
	}
	asked, accepted := p.counts()
	require.Equal(t, []int{1, 1}, []int{asked, accepted})
}
