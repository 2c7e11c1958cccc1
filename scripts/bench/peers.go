package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/elazarl/goproxy"
	"github.com/google/martian/v3"
	"github.com/google/martian/v3/header"
	"github.com/google/martian/v3/mitm"
)

// idlePerHost is the idle pool that the peers get. The default of two makes
// any proxy dial for nearly every request under load, which would measure the
// setting and not the proxy.
const idlePerHost = 256

// peer is what a peer needs to do the same injection as bottle-egress.
type peer struct {
	listener      net.Listener
	ca            tls.Certificate // with Leaf
	transport     *http.Transport // verifies the origin
	dial          func(network, addr string) (net.Conn, error)
	authorization string
}

func runPeer(args []string, serve func(peer) error) error {
	fs := flag.NewFlagSet("peer", flag.ContinueOnError)
	cert := fs.String("cert", "", "CA certificate `file`")
	key := fs.String("key", "", "CA key `file`")
	roots := fs.String("upstream-ca", "", "`file` with the origin's CA")
	origin := fs.String("origin", "", "`address` that every host is dialled at")
	ready := fs.String("ready-file", "", "`file` that gets the bound address")
	if err := fs.Parse(args); err != nil {
		return err
	}
	ca, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(*roots)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s: no certificate", *roots)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var d net.Dialer
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", *origin)
	}
	p := peer{
		listener: l,
		ca:       ca,
		transport: &http.Transport{
			DialContext:         dial,
			TLSClientConfig:     &tls.Config{RootCAs: pool},
			MaxIdleConnsPerHost: idlePerHost,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true,
		},
		dial: func(network, addr string) (net.Conn, error) {
			return dial(context.Background(), network, addr)
		},
		authorization: "Bearer " + os.Getenv(tokenVariable),
	}
	if err := writeReady(*ready, l.Addr().String()); err != nil {
		return err
	}
	stopOnSignal(func() { l.Close() })
	return ignoreClosed(serve(p))
}

func serveMartian(p peer) error {
	config, err := mitm.NewConfig(p.ca.Leaf, p.ca.PrivateKey)
	if err != nil {
		return err
	}
	config.SetValidity(12 * time.Hour)
	proxy := martian.NewProxy()
	proxy.SetRoundTripper(p.transport)
	p.transport.DialContext = nil // martian sets Dial, which DialContext would hide
	proxy.SetDial(p.dial)
	proxy.SetMITM(config)
	proxy.SetRequestModifier(header.NewModifier("Authorization", p.authorization))
	return proxy.Serve(p.listener)
}

func serveGoproxy(p peer) error {
	proxy := goproxy.NewProxyHttpServer()
	proxy.Tr = p.transport
	proxy.ConnectDial = nil
	proxy.CertStore = &certCache{certs: make(map[string]*tls.Certificate)}
	intercept := &goproxy.ConnectAction{
		Action:    goproxy.ConnectMitm,
		TLSConfig: goproxy.TLSConfigFromCA(&p.ca),
	}
	proxy.OnRequest().HandleConnectFunc(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		return intercept, host
	})
	proxy.OnRequest().DoFunc(func(r *http.Request, _ *goproxy.ProxyCtx) (*http.Request, *http.Response) {
		r.Header.Set("Authorization", p.authorization)
		return r, nil
	})
	return (&http.Server{Handler: proxy}).Serve(p.listener)
}

// certCache is the cache that goproxy recommends and leaves to its user.
type certCache struct {
	mu    sync.Mutex
	certs map[string]*tls.Certificate
}

func (c *certCache) Fetch(host string, make func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cert, ok := c.certs[host]; ok {
		return cert, nil
	}
	cert, err := make()
	if err != nil {
		return nil, err
	}
	c.certs[host] = cert
	return cert, nil
}

// writeReady announces a helper's address as the stages announce theirs.
func writeReady(path, addr string) error {
	if err := os.WriteFile(path+".new", []byte(addr+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// stopOnSignal calls stop once the process is asked to end.
func stopOnSignal(stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-c
		stop()
	}()
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
