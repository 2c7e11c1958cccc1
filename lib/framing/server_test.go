package framing

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

type guardKey struct{}

// guardOf returns the guard that r came through.
func guardOf(r *http.Request) *Conn { return r.Context().Value(guardKey{}).(*Conn) }

// guarding wraps what a listener accepts.
type guarding struct {
	net.Listener
	tls    *tls.Config
	limits Limits
}

func (l guarding) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.tls == nil {
		return NewConn(c, l.limits), nil
	}
	t := tls.Server(c, l.tls)
	if err := t.Handshake(); err != nil {
		return nil, err
	}
	return NewTLSConn(t, l.limits), nil
}

// origin is a real server behind the guard.
type origin struct {
	network, addr string
	roots         *x509.CertPool
}

// overAll runs test over TCP, over TLS and over a unix socket.
func overAll(t *testing.T, limits Limits, handler http.HandlerFunc, test func(*testing.T, *origin)) {
	for _, kind := range []string{"tcp", "tls", "unix"} {
		t.Run(kind, func(t *testing.T) {
			test(t, start(t, kind, limits, handler))
		})
	}
}

func start(t *testing.T, kind string, limits Limits, handler http.HandlerFunc) *origin {
	ignore := goleak.IgnoreCurrent()
	o := &origin{network: "tcp", addr: "127.0.0.1:0"}
	if kind == "unix" {
		o.network, o.addr = "unix", filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(o.network, o.addr)
	require.NoError(t, err)
	o.addr = l.Addr().String()
	g := guarding{Listener: l, limits: limits}
	if kind == "tls" {
		g.tls, o.roots = selfSigned(t)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if v := guardOf(r).Violation(); v != nil {
				w.WriteHeader(v.Status())
				io.WriteString(w, v.Code)
				return
			}
			handler(w, r)
		}),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, guardKey{}, From(c))
		},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(g)
	}()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		<-done
		goleak.VerifyNone(t, ignore)
	})
	return o
}

func selfSigned(t *testing.T) (*tls.Config, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a.example"}, DNSNames: []string{"a.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func (o *origin) dialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, o.network, o.addr)
	if err != nil || o.roots == nil {
		return c, err
	}
	t := tls.Client(c, &tls.Config{RootCAs: o.roots, ServerName: "a.example"})
	return t, t.HandshakeContext(ctx)
}

func (o *origin) dial(t *testing.T) net.Conn {
	c, err := o.dialContext(t.Context(), "", "")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return c
}

func (o *origin) client(t *testing.T) *http.Client {
	tr := &http.Transport{DialContext: o.dialContext}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// answers reads responses until the server closes.
func answers(t *testing.T, r io.Reader) (all []string) {
	br := bufio.NewReader(r)
	for {
		if _, err := br.Peek(1); err != nil {
			require.ErrorIs(t, err, io.EOF)
			return all
		}
		resp, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		all = append(all, fmt.Sprintf("%d %s", resp.StatusCode, body))
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		if v := guardOf(r).Violation(); v != nil {
			w.WriteHeader(v.Status())
			io.WriteString(w, v.Code)
			return
		}
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, body)
}

func TestServerAnswersPipelinedRequestsInSequence(t *testing.T) {
	const bad = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	overAll(t, Limits{}, echo, func(t *testing.T, o *origin) {
		for _, whole := range []bool{true, false} {
			c := o.dial(t)
			stream := []byte(good + posting + chunkedHead + "5\r\nhello\r\n0\r\nA: b\r\n\r\n" + good + bad + good)
			for len(stream) > 0 {
				n := len(stream)
				if !whole {
					n = 1
				}
				_, err := c.Write(stream[:n])
				require.NoError(t, err)
				stream = stream[n:]
			}
			require.Equal(t, []string{"200 GET /first ", "200 POST /up hello", "200 POST /up hello", "200 GET /first ", "400 framing_conflict"}, answers(t, c))
		}
	})
}

// While a handler runs, net/http's background reader has already met the bad
// head that is pipelined behind. That must not show in this handler.
func TestViolationShowsOnlyInItsOwnHandler(t *testing.T) {
	for _, next := range []string{"GET / HTTP/1.1\r\nBad Name: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"} {
		entered, proceed := make(chan *Conn), make(chan struct{})
		handler := func(w http.ResponseWriter, r *http.Request) {
			guard := guardOf(r)
			entered <- guard
			<-proceed
			if guard.Violation() != nil {
				panic("the violation of a later request")
			}
		}
		overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
			c := o.dial(t)
			_, err := io.WriteString(c, good+next)
			require.NoError(t, err)
			guard := <-entered
			// The background reader holds the lock except while it has
			// returned: wait until it has consumed one byte of the stand-in.
			require.Eventually(t, func() bool {
				guard.reading.Lock()
				defer guard.reading.Unlock()
				return guard.given == 1
			}, 10*time.Second, time.Millisecond)
			require.Nil(t, guard.Violation())
			close(proceed)
			got := answers(t, c)
			require.Len(t, got, 2)
			require.Contains(t, got[1], "400 ")
			proceed = make(chan struct{})
		})
	}
}

func TestServerSeesBadChunkAsReadError(t *testing.T) {
	overAll(t, Limits{}, echo, func(t *testing.T, o *origin) {
		for _, split := range []bool{true, false} {
			c := o.dial(t)
			head, bad := chunkedHead+"5\r\nhello\r\n", "zz\r\n"+good
			if !split {
				head, bad = head+bad, ""
			}
			_, err := io.WriteString(c, head)
			require.NoError(t, err)
			_, err = io.WriteString(c, bad)
			require.NoError(t, err)
			require.Equal(t, []string{"400 bad_chunk"}, answers(t, c))
		}
	})
}

// The refusal must arrive though the client is still sending: closing with
// unread bytes would reset the connection and take the answer with it.
func TestRefusalSurvivesAClientThatKeepsSending(t *testing.T) {
	overAll(t, Limits{MaxHeadBytes: 8 << 10}, echo, func(t *testing.T, o *origin) {
		for range 5 {
			c := o.dial(t)
			_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\nA: "+strings.Repeat("b", 100<<10))
			require.NoError(t, err)
			require.Equal(t, []string{"431 header_too_large"}, answers(t, c))
		}
	})
}

func TestServerAnswersSlowHead(t *testing.T) {
	overAll(t, Limits{HeadTimeout: 50 * time.Millisecond}, echo, func(t *testing.T, o *origin) {
		c := o.dial(t)
		_, err := io.WriteString(c, good+"GET / HT")
		require.NoError(t, err)
		require.Equal(t, []string{"200 GET /first ", "408 header_timeout"}, answers(t, c))
	})
}

func TestLargeBodiesPass(t *testing.T) {
	const size = 20 << 20
	block := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	handler := func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil || n != size {
			panic(fmt.Sprint(n, err))
		}
		w.Header().Set("Sum", fmt.Sprintf("%x", sum.Sum(nil)))
		for range size / len(block) {
			w.Write(block)
		}
	}
	want := sha256.New()
	for range size / len(block) {
		want.Write(block)
	}
	overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
		client := o.client(t)
		for _, length := range []int64{size, -1} {
			var up []io.Reader
			for range size / len(block) {
				up = append(up, bytes.NewReader(block))
			}
			r, err := http.NewRequest("POST", "http://a.example/", io.MultiReader(up...))
			require.NoError(t, err)
			r.ContentLength = length
			resp, err := client.Do(r)
			require.NoError(t, err)
			sum := sha256.New()
			_, err = io.Copy(sum, resp.Body)
			require.NoError(t, err)
			resp.Body.Close()
			require.Equal(t, fmt.Sprintf("%x", want.Sum(nil)), resp.Header.Get("Sum"))
			require.Equal(t, want.Sum(nil), sum.Sum(nil))
		}
	})
}

func TestFileResponseGoesThroughReadFrom(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte("x"), 1<<20), 0o600))
	handler := func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }
	overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
		resp, err := o.client(t).Get("http://a.example/")
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		require.EqualValues(t, 1<<20, n)
	})
}

func TestContinueAndKeepAlive(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		if (r.TLS != nil) != (r.Header.Get("Kind") == "tls") {
			panic("Request.TLS does not tell the truth")
		}
		echo(w, r)
	}
	overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
		c := o.dial(t)
		kind := "plain"
		if o.roots != nil {
			kind = "tls"
		}
		br := bufio.NewReader(c)
		for range 3 {
			_, err := io.WriteString(c, "POST /c HTTP/1.1\r\nHost: a.example\r\nKind: "+kind+"\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
			require.NoError(t, err)
			resp, err := http.ReadResponse(br, nil)
			require.NoError(t, err)
			require.Equal(t, 100, resp.StatusCode)
			_, err = io.WriteString(c, "hi")
			require.NoError(t, err)
			resp, err = http.ReadResponse(br, nil)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, "POST /c hi", string(body))
		}
	})
}

// net/http notices through its background read that a client is gone.
func TestClientGoneCancelsTheHandler(t *testing.T) {
	gone := make(chan struct{}, 1)
	entered := make(chan struct{})
	handler := func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	}
	overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
		for _, stream := range []string{good, connect, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"} {
			c := o.dial(t)
			_, err := io.WriteString(c, stream)
			require.NoError(t, err)
			<-entered
			require.NoError(t, c.Close())
			<-gone
		}
	})
}

func TestWholeSaysWhenTheBodyCannotBlock(t *testing.T) {
	for _, tc := range []struct {
		pieces []string
		whole  bool
	}{
		{[]string{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"}, true},
		{[]string{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo"}, false},
		{[]string{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"}, false},
	} {
		client, server := net.Pipe()
		guard := NewConn(server, Limits{})
		p := make([]byte, 4096)
		for _, piece := range tc.pieces {
			go io.WriteString(client, piece)
			for n := 0; n < len(piece); {
				m, err := guard.Read(p)
				require.NoError(t, err)
				n += m
			}
		}
		require.Equal(t, tc.whole, guard.Whole(), tc.pieces)
		client.Close()
		server.Close()
	}
}
