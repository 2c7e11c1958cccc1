package corpus

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"bottle/lib/mintca"
)

// patience is how long one exchange may take.
const patience = 20 * time.Second

// Live is bottle-pipelock as a process, with an origin behind it that the cases
// are sent to.
type Live struct {
	origin *origin
	cmd    *exec.Cmd
	ended  chan struct{}
	log    string
	addr   string
	roots  *x509.CertPool
}

// StartLive starts the program with interception for the corpus's hosts and its
// known secrets. Its files are in dir. onMatch is what it does with a secret.
func StartLive(program, dir string, known []Known, onMatch string) (_ *Live, err error) {
	ca, err := mintca.New(mintca.Options{Name: "pipelock", Hosts: []string{Host, "*." + Suffix}})
	if err != nil {
		return nil, err
	}
	originCA, err := mintca.New(mintca.Options{Name: "origin", Hosts: []string{Host, "*." + Suffix}})
	if err != nil {
		return nil, err
	}
	l := &Live{origin: newOrigin(originCA), ended: make(chan struct{}), log: filepath.Join(dir, "log"), roots: x509.NewCertPool()}
	defer func() {
		if err != nil {
			l.origin.close()
		}
	}()
	l.roots.AppendCertsFromPEM(ca.CertPEM())
	config := fmt.Sprintf("listen = \"127.0.0.1:0\"\nallow = [%q, %q]\nupstream_ca = [\"origin-ca.pem\"]\nconnect_to = [\":443:%s\"]\n"+
		"[ca]\ncert = \"ca.pem\"\nkey = \"ca-key.pem\"\n[limits]\nrequests_per_minute = 0\n[dlp]\non_match = %q\n", Host, "*."+Suffix, l.origin.addr(), onMatch)
	files := map[string][]byte{"ca.pem": ca.CertPEM(), "ca-key.pem": ca.ExposeKeyPEM(), "origin-ca.pem": originCA.CertPEM()}
	for _, k := range known {
		files[k.Name] = []byte(k.Value + "\n")
		config += fmt.Sprintf("[[known_secrets]]\nname = %q\nfile = %[1]q\n", k.Name)
	}
	files["pipelock.toml"] = []byte(config)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	ready := filepath.Join(dir, "ready")
	log, err := os.Create(l.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	l.cmd = exec.Command(program, "--config", filepath.Join(dir, "pipelock.toml"), "--ready-file", ready, "--log-level", "error")
	l.cmd.Env, l.cmd.Dir, l.cmd.Stderr = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, dir, log
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { l.cmd.Wait(); close(l.ended) }()
	tick, late := time.NewTicker(2*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for {
		select {
		case <-l.ended:
			said, _ := os.ReadFile(l.log)
			return nil, fmt.Errorf("start %s: %s: %s", program, l.cmd.ProcessState, bytes.TrimSpace(said))
		case <-late:
			l.stop()
			return nil, fmt.Errorf("start %s: not ready after %v", program, patience)
		case <-tick.C:
			if b, err := os.ReadFile(ready); err == nil && bytes.HasSuffix(b, []byte("\n")) {
				l.addr = strings.TrimSpace(string(b))
				return l, nil
			}
		}
	}
}

func (l *Live) stop() {
	l.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-l.ended:
	case <-time.After(patience):
		l.cmd.Process.Kill()
		<-l.ended
	}
}

// Close ends the program and the origin.
func (l *Live) Close() {
	l.origin.server.CloseClientConnections()
	l.stop()
	l.origin.close()
}

// Score sends all cases of c, over HTTP/2 or HTTP/1.1, and judges by what the
// origin got: a secret counts as stopped only if it did not arrive, a harmless
// request as passed only if it arrived as it was sent.
func (l *Live) Score(ctx context.Context, c *Corpus, http2 bool) (*Score, error) {
	tr := &http.Transport{
		Proxy:               http.ProxyURL(&url.URL{Scheme: "http", Host: l.addr}),
		TLSClientConfig:     &tls.Config{RootCAs: l.roots},
		ForceAttemptHTTP2:   http2,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 8,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
			if res.StatusCode == http.StatusOK {
				return nil
			}
			return &connectError{res.StatusCode, reason(res)}
		},
	}
	defer tr.CloseIdleConnections()
	var cases []*Case
	for _, list := range [][]Case{c.Planted, c.Harmless} {
		for i := range list {
			cases = append(cases, &list[i])
		}
	}
	answers := make([]answer, len(cases))
	prefix := map[bool]string{true: "h2-", false: "h1-"}[http2]
	next := make(chan int)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for i := range next {
				answers[i] = l.send(ctx, tr, &cases[i].Request, prefix+strconv.Itoa(i))
			}
		})
	}
	for i := range cases {
		next <- i
	}
	close(next)
	workers.Wait()
	s := &Score{}
	for i, k := range cases {
		a := answers[i]
		if a.err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		s.add(k, l.verdict(k, a, prefix+strconv.Itoa(i)))
	}
	return s, nil
}

// connectError is a CONNECT that was refused.
type connectError struct {
	status int
	code   string
}

func (e *connectError) Error() string { return fmt.Sprintf("CONNECT: status %d, %s", e.status, e.code) }

// reason is the reason code in the details of Proxy-Status (RFC 9209).
func reason(res *http.Response) string {
	_, details, _ := strings.Cut(res.Header.Get("Proxy-Status"), `details="`)
	code, _, _ := strings.Cut(details, `"`)
	return code
}

// answer is what the client saw.
type answer struct {
	status int
	code   string // reason code and rule of a refusal
	err    error
}

func (l *Live) verdict(c *Case, a answer, id string) Verdict {
	got := l.origin.arrived(id)
	if c.Planted {
		switch {
		case got != nil && got.carries(c):
			return Verdict{false, a.String()}
		case got == nil && a.code == "": // nobody says that the filter stopped it
			return Verdict{false, "not sent: " + a.String()}
		}
		return Verdict{true, a.String()}
	}
	sent, err := c.Request.coded()
	whole := err == nil && got != nil && got.complete && bytes.Equal(got.body, sent) && len(got.messages) == len(c.Request.Messages)
	for i, m := range c.Request.Messages {
		whole = whole && bytes.Equal(got.messages[i], m.Data)
	}
	return Verdict{!whole || a.code != "", a.String()}
}

func (a answer) String() string {
	switch {
	case a.code != "":
		return a.code
	case a.err != nil:
		return a.err.Error()
	}
	return "status " + strconv.Itoa(a.status)
}

func (l *Live) send(ctx context.Context, tr *http.Transport, r *Request, id string) answer {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if len(r.Messages) > 0 {
		return l.speak(ctx, r, id)
	}
	body, err := r.coded()
	if err != nil {
		return answer{err: err}
	}
	var src io.Reader = http.NoBody
	if len(body) > 0 {
		src = bytes.NewReader(body)
	}
	if r.Chunked {
		src = struct{ io.Reader }{src}
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, "https://"+r.Host+"/", src)
	if err != nil {
		return answer{err: err}
	}
	req.URL.Opaque = "//" + r.Host + r.Target // as it is
	for _, f := range r.Header {
		req.Header.Add(f.Name, f.Value)
	}
	req.Header.Set(caseHeader, id)
	if r.Coding != "" {
		req.Header.Set("Content-Encoding", r.Coding)
	}
	for _, f := range r.Trailer {
		if req.Trailer == nil {
			req.Trailer = http.Header{}
		}
		req.Trailer.Add(f.Name, f.Value)
	}
	res, err := tr.RoundTrip(req)
	if refused, ok := errors.AsType[*connectError](err); ok {
		return answer{status: refused.status, code: refused.code}
	}
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return answer{status: res.StatusCode, code: refusalOf(text), err: err}
}

// refusalOf reads the reason out of a refusal's body or message.
func refusalOf(text []byte) string {
	var body struct {
		Error struct{ Type, Code, Message string }
	}
	if json.Unmarshal(text, &body) != nil || body.Error.Type != "bottle_refused" {
		return ""
	}
	return body.Error.Code + ": " + body.Error.Message
}

// speak upgrades and sends the messages.
func (l *Live) speak(ctx context.Context, r *Request, id string) answer {
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return answer{err: err}
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(raw, "CONNECT %[1]s:443 HTTP/1.1\r\nHost: %[1]s:443\r\n\r\n", r.Host)
	res, err := http.ReadResponse(bufio.NewReader(raw), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return answer{err: err}
	}
	if res.StatusCode != http.StatusOK {
		return answer{status: res.StatusCode, code: reason(res)}
	}
	c := tls.Client(raw, &tls.Config{ServerName: r.Host, RootCAs: l.roots})
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"+
		"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n%s: %s\r\n\r\n", r.Target, r.Host, caseHeader, id)
	br := bufio.NewReader(c)
	if res, err = http.ReadResponse(br, &http.Request{Method: http.MethodGet}); err != nil {
		return answer{err: err}
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		return answer{status: res.StatusCode, code: refusalOf(text)}
	}
	mask := newMaker(0)
	for i := range r.Messages {
		if _, err := c.Write(r.Messages[i].frames(mask)); err != nil {
			break // the filter may have ended it; it says why
		}
	}
	for n := 0; n < len(r.Messages); n++ {
		text, err := serverMessage(br)
		if err != nil {
			return answer{err: err}
		}
		if string(text) != "ok" {
			return answer{status: 101, code: refusalOf(text)}
		}
	}
	c.Write(frame(mask, 0x88, []byte{3, 232})) // close, 1000
	_, err = serverMessage(br)
	if !errors.Is(err, errClosed) {
		return answer{err: err}
	}
	return answer{status: 101}
}

var errClosed = errors.New("the WebSocket was closed")

// serverMessage reads a frame of the server: messages are short here, so that
// each is one.
func serverMessage(br *bufio.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return nil, err
	}
	n := int(head[1])
	if n == 126 {
		var more [2]byte
		if _, err := io.ReadFull(br, more[:]); err != nil {
			return nil, err
		}
		n = int(more[0])<<8 | int(more[1])
	}
	if head[1] == 127 {
		return nil, errors.New("a message that is too long")
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(br, text); err != nil {
		return nil, err
	}
	if head[0]&15 == 8 {
		return nil, errClosed
	}
	return text, nil
}
