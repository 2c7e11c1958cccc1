package clienttest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/providertest"
)

// TestStandInAlone runs the clients against the stand-in with no bottle
// between them. Where it fails, the stand-in or the client is at fault.
func TestStandInAlone(t *testing.T) {
	perVersion(t, func(t *testing.T, version string) {
		codex := client(t, version)
		for _, mode := range []providertest.Mode{providertest.WebSocket, providertest.WebSocketDeflate, providertest.SSE} {
			t.Run(string(mode), func(t *testing.T) {
				s := standIn(t, providertest.Options{Mode: mode, ToolCommand: "printf 'tool-%s-ran' was"})
				dir := t.TempDir()
				ca, home, env := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "codex"), filepath.Join(dir, "agent.env")
				require.NoError(t, os.WriteFile(ca, s.CAPEM(), 0o600))
				require.NoError(t, os.Mkdir(home, 0o700))
				require.NoError(t, os.WriteFile(filepath.Join(home, "auth.json"), s.Login().JSON(), 0o600))
				require.NoError(t, os.WriteFile(env, []byte(
					"HTTPS_PROXY=http://"+tunnelsTo(t, s.Addr())+"\nCODEX_CA_CERTIFICATE="+ca+"\nCODEX_HOME="+home+"\n"), 0o600))

				o := newAgent(t, env, home).exec(t, codex, "say something")
				requireAnswer(t, s, o)
				requireTransport(t, s, mode)
				requireToolRan(t, s, "tool-was-ran")
			})
		}
	})
}

// tunnelsTo returns the address of an HTTP proxy that connects every CONNECT to
// addr, whatever it names.
func tunnelsTo(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go tunnel(c, addr)
		}
	}()
	return l.Addr().String()
}

func tunnel(c net.Conn, addr string) {
	defer c.Close()
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil || r.Method != http.MethodConnect {
		return
	}
	up, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer up.Close()
	if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	go func() {
		io.Copy(c, up)
		c.Close()
		up.Close()
	}()
	io.Copy(up, in)
}
