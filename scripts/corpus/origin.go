package corpus

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"bottle/lib/decode"
	"bottle/lib/mintca"
)

// caseHeader numbers the requests for the origin.
const caseHeader = "X-Request-Id"

// arrival is what the origin got of one request.
type arrival struct {
	head     string // target and fields
	body     []byte // as sent, as far as it came
	coding   string
	messages [][]byte
	complete bool // the request came to its end
}

// origin remembers what arrives.
type origin struct {
	server *httptest.Server

	mu  sync.Mutex
	got map[string]*arrival
}

func newOrigin(ca *mintca.CA) *origin {
	o := &origin{got: map[string]*arrival{}}
	o.server = httptest.NewUnstartedServer(o)
	o.server.EnableHTTP2 = true
	o.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	o.server.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.Leaf(h.ServerName) }}
	o.server.StartTLS()
	return o
}

func (o *origin) addr() string { return o.server.Listener.Addr().String() }

func (o *origin) close() {
	o.server.CloseClientConnections()
	o.server.Close()
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &arrival{coding: strings.Join(r.Header["Content-Encoding"], ", ")}
	defer func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.got[r.Header.Get(caseHeader)] = a
	}()
	head := func(fields http.Header) {
		for name, values := range fields {
			for _, v := range values {
				a.head += name + ": " + v + "\n"
			}
		}
	}
	a.head = r.Host + r.RequestURI + "\n"
	head(r.Header)
	if r.Header.Get("Upgrade") != "" {
		o.talk(w, r, a)
		return
	}
	var b bytes.Buffer
	_, err := io.Copy(&b, r.Body)
	a.body = b.Bytes()
	if err != nil {
		return
	}
	head(r.Trailer)
	a.complete = true
	io.WriteString(w, "ok")
}

// talk answers each message with ok.
func (o *origin) talk(w http.ResponseWriter, r *http.Request, a *arrival) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionNoContextTakeover})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	for {
		_, data, err := c.Read(r.Context())
		if err != nil {
			a.complete = websocket.CloseStatus(err) == websocket.StatusNormalClosure
			return
		}
		a.messages = append(a.messages, data)
		if c.Write(context.WithoutCancel(r.Context()), websocket.MessageText, []byte("ok")) != nil {
			return
		}
	}
}

// arrived returns what came of the request with this number, or nil.
func (o *origin) arrived(id string) *arrival {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got[id]
}

// leak is how many characters of a secret in a row must not arrive.
const leak = 32

// carries reports whether all pieces of c's secret arrived; of one that is
// written as it is, so much of it that the rest is no secret any more.
func (a *arrival) carries(c *Case) bool {
	all := append([]string{a.head, string(a.body)}, a.plain())
	for _, m := range a.messages {
		all = append(all, string(m))
	}
	text := strings.Join(all, "\n")
	whole := true
	for _, p := range c.Carried {
		whole = whole && strings.Contains(text, p)
		for at, run := 0, 0; at < len(p) && c.How == asItIs; at++ {
			if run++; !strings.Contains(alnums+"+/_-", p[at:at+1]) {
				run = 0
			}
			if run >= leak && strings.Contains(text, p[at+1-leak:at+1]) {
				return true
			}
		}
	}
	return whole
}

// plain is the body with its coding undone, as far as that can be done.
func (a *arrival) plain() string {
	if a.coding == "" {
		return ""
	}
	r, err := decode.Body(a.coding, bytes.NewReader(a.body), decode.Limits{})
	if err != nil {
		return ""
	}
	defer r.Close()
	b, _ := io.ReadAll(r) // what can be read counts
	return string(b)
}
