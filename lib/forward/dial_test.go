package forward_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/mintca"
	"bottle/lib/refusal"
)

// anyAddress lets the stage resolve and dial by itself.
func anyAddress(w *world, _ *forward.Options) { w.dialer.ConnectTo = nil }

func dialCode(d *forward.Dialer, to string) (refusal.Code, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a, err := authority.Parse(to)
	if err != nil {
		return "", err
	}
	c, err := d.Dial(ctx, a)
	if err == nil {
		c.Close()
		return "", nil
	}
	r, ok := errors.AsType[*refusal.Refusal](err)
	if !ok {
		return "", err
	}
	return r.Code, err
}

func TestAddressesThatAreNoPlaceOnTheInternetAreNotDialled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // somebody is there, so that a dial would work
	require.NoError(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "169.254.0.1",
		"100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "localhost", "LOCALHOST.",
	} {
		code, err := dialCode(&forward.Dialer{}, host+":"+port)
		require.Equal(t, refusal.AddressProhibited, code, "%s: %v", host, err)
	}
}

func TestOperatorPermitsAddresses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	allow := func(texts ...string) *forward.Dialer {
		ps, err := forward.ParsePrefixes(texts)
		require.NoError(t, err)
		return &forward.Dialer{AllowAddresses: ps}
	}
	connectTo := func(text string) *forward.Dialer {
		ct, err := forward.ParseConnectTo(text)
		require.NoError(t, err)
		return &forward.Dialer{ConnectTo: []forward.ConnectTo{ct}}
	}
	for _, tc := range []struct {
		name, to string
		dialer   *forward.Dialer
		want     refusal.Code
	}{
		{"the network", "127.0.0.1:" + port, allow("127.0.0.0/8"), ""},
		{"the address", "127.0.0.1:" + port, allow("127.0.0.1"), ""},
		{"the mapped address", "127.0.0.1:" + port, allow("::ffff:127.0.0.1"), ""},
		{"a name that resolves to it", "localhost:" + port, allow("127.0.0.1", "::1"), ""},
		{"another address", "127.0.0.1:" + port, allow("127.0.0.2", "10.0.0.0/8"), refusal.AddressProhibited},
		{"another port is no matter of addresses", "127.0.0.1:1", allow("127.0.0.1"), refusal.ConnectFailed},
		{"a destination by connect_to", "origin.test:443", connectTo("origin.test:443:127.0.0.1:" + port), ""},
		{"a destination by connect_to, as a name", "origin.test:443", connectTo("origin.test:443:localhost:" + port), ""},
		{"every destination by connect_to", "origin.test:443", connectTo("::127.0.0.1:" + port), ""},
		{"only the port by connect_to", "127.0.0.1:443", connectTo(":443::" + port), refusal.AddressProhibited},
		{"only the port of one host by connect_to", "localhost:443", connectTo("localhost:443::" + port), refusal.AddressProhibited},
		{"another host by connect_to", "127.0.0.1:" + port, connectTo("origin.test:443:127.0.0.1:" + port), refusal.AddressProhibited},
	} {
		code, err := dialCode(tc.dialer, tc.to)
		require.Equal(t, tc.want, code, "%s: %v", tc.name, err)
	}
}

func TestAddressPolicyHoldsInEveryWay(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), anyAddress)
	w.host = "localhost:443"
	ask := func(t *testing.T, res *http.Response) {
		p := refusalIn(t, res, 403, refusal.AddressProhibited)
		require.Contains(t, p.Message, "allow_addresses")
	}
	ask(t, exchange(t, w.tunnelNamed("localhost"), "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	_, port, _ := net.SplitHostPort(w.origin.Listener.Addr().String())
	ask(t, exchange(t, w.dial(), "GET http://127.0.0.1:"+port+"/ HTTP/1.1\r\nHost: x\r\n\r\n"))
	ask(t, exchange(t, w.dial(), "GET http://localhost:"+port+"/ HTTP/1.1\r\nHost: x\r\n\r\n"))
	c := w.config
	c.Policy = passAll()
	w.engine.Swap(c)
	_, res := w.connect("localhost:" + port)
	ask(t, res)
	require.Zero(t, w.accepts.Load())
}

func TestOriginThatDoesNotListenIsTold(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), func(w *world, _ *forward.Options) { w.connectTo("::" + nobody(t)) })
	w.everyWay(t, func(t *testing.T, res *http.Response) {
		refusalIn(t, res, 502, refusal.ConnectFailed)
	})
}

// certificate returns one for names that ca did not make, valid from now on for
// lifetime. It signs itself.
func certificate(t *testing.T, lifetime time.Duration, names ...string) *tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, DNSNames: names,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(lifetime),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestOriginThatCannotBeVerifiedGetsNothing(t *testing.T) {
	foreign, err := mintca.New(mintca.Options{Hosts: originNames})
	require.NoError(t, err)
	expired := certificate(t, -24*time.Hour, "origin.test")
	for _, tc := range []struct {
		name string
		cert func(w *world) *tls.Certificate
	}{
		{"self-signed", func(*world) *tls.Certificate { return certificate(t, time.Hour, "origin.test") }},
		{"a CA that is not trusted", func(*world) *tls.Certificate {
			c, err := foreign.Leaf("origin.test")
			require.NoError(t, err)
			return c
		}},
		{"another name", func(w *world) *tls.Certificate {
			c, err := w.originCA.Leaf("other.test")
			require.NoError(t, err)
			return c
		}},
		{"expired", func(w *world) *tls.Certificate {
			w.config.UpstreamRoots.AddCert(expired.Leaf) // trusted but for its age
			return expired
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := make(chan string, 4)
			w := newWorld(t, allowAll(), http.HandlerFunc(echo), func(w *world, _ *forward.Options) {
				cert := tc.cert(w)
				w.connectTo(":443:" + listenLoop(t, func(c net.Conn) {
					tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{"h2", "http/1.1"}})
					b, _ := io.ReadAll(tc)
					got <- string(b)
				}))
			})
			overBoth(t, func(t *testing.T, http2 bool) {
				res, err := w.client(http2).Post("https://origin.test/", "text/plain", strings.NewReader("body"))
				require.NoError(t, err)
				p := refusalIn(t, res, 502, refusal.OriginTLSFailed)
				require.Contains(t, p.Message, "nothing was sent")
				require.Empty(t, receive(t, got, "end at the origin"))
			})
		})
	}
}

func TestOriginThatDoesNotSpeakTLSGetsNothing(t *testing.T) {
	for _, tc := range []struct{ name, says string }{
		{"HTTP", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"},
		{"SSH", "SSH-2.0-OpenSSH_9.9\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := make(chan []byte, 4)
			w := newWorld(t, allowAll(), http.HandlerFunc(echo), plainOrigin(func(c net.Conn) {
				io.WriteString(c, tc.says)
				c.(*net.TCPConn).CloseWrite()
				b, _ := io.ReadAll(c)
				got <- b
			}))
			overBoth(t, func(t *testing.T, http2 bool) {
				res, err := w.client(http2).Post("https://origin.test/", "text/plain", strings.NewReader("the body"))
				require.NoError(t, err)
				refusalIn(t, res, 502, refusal.OriginTLSFailed)
				require.NotContains(t, string(receive(t, got, "end at the origin")), "body")
			})
		})
	}
}

func TestOriginThatHangsInItsHandshakeIsGivenUp(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), plainOrigin(func(c net.Conn) { io.Copy(io.Discard, c) }), withLimits(forward.Limits{Handshake: 100 * time.Millisecond}))
	refusalIn(t, exchange(t, w.tunnel(), "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"), 504, refusal.ConnectTimeout)
}

func TestParsePrefixes(t *testing.T) {
	ps, err := forward.ParsePrefixes([]string{"10.1.0.0/16", "192.168.1.1", "::1", "::ffff:1.2.3.4", "fd00::/8"})
	require.NoError(t, err)
	require.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("192.168.1.1/32"), netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("1.2.3.4/32"), netip.MustParsePrefix("fd00::/8"),
	}, ps)
	for _, in := range []string{"", "10.1.0.0/33", "10.1.2.3/16", "localhost", "10.1", "*", "fe80::1%eth0/64"} {
		_, err := forward.ParsePrefixes([]string{in})
		require.ErrorContains(t, err, "allow_addresses", in)
	}
}

func TestParseConnectTo(t *testing.T) {
	for _, in := range []string{"a.test:443:127.0.0.1:8443", ":443:[::1]:1", ":::", "a.test:::1", "[::1]:443:b.test:"} {
		c, err := forward.ParseConnectTo(in)
		require.NoError(t, err, in)
		require.Equal(t, in, c.String())
	}
	for _, in := range []string{"", "a", "a:1:b", "a:1:b:2:3", "a:0:b:1", "a:1:b:65536", "a:1:b:x", "[::1:1:b:1", "a b:1:c:1", "0x7f.1:1:c:1", "a:1:c]:1"} {
		_, err := forward.ParseConnectTo(in)
		require.ErrorContains(t, err, "connect_to", in)
	}
}
