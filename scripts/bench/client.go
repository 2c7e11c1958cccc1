package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"time"
)

// opTimeout ends an exchange that hangs, so that it fails its cell and not
// the run.
const opTimeout = 2 * time.Minute

// client makes connections of one variant. It writes prepared bytes and reads
// answers with next to no work, so that the proxies and not the load generator
// are what is measured.
type client struct {
	address string // the proxy's, or the origin's
	connect []byte // the CONNECT request; nil: straight to the origin
	tls     *tls.Config
	json    []byte // the small request, prepared
	host    string
	auth    string // the Authorization line, or nothing
}

func newClient(t *target, roots *x509.CertPool) *client {
	c := &client{
		address: t.origin,
		host:    t.host,
		tls:     &tls.Config{ServerName: t.host, RootCAs: roots},
	}
	if t.proxy != "" {
		c.address = t.proxy
		c.connect = fmt.Appendf(nil, "CONNECT %s:443 HTTP/1.1\r\nHost: %[1]s:443\r\n\r\n", t.host)
	}
	if t.token != "" {
		c.auth = "Authorization: Bearer " + t.token + "\r\n"
	}
	body := append([]byte(`{"question":"`), bytes.Repeat([]byte("q"), jsonSize-15)...)
	body = append(body, `"}`...)
	c.json = append(c.head("POST", "/json", fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))), body...)
	return c
}

func (c *client) head(method, path, more string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\n%s%s\r\n",
		method, path, c.host, c.auth, more)
}

// conn is one keep-alive connection to the origin, through the variant.
type conn struct {
	*tls.Conn
	raw net.Conn
	br  *bufio.Reader
}

// dial connects, asks for the tunnel and shakes hands. The sessions cache may
// be nil: then there is no resumption.
func (c *client) dial(sessions tls.ClientSessionCache) (*conn, error) {
	raw, err := net.DialTimeout("tcp", c.address, opTimeout)
	if err != nil {
		return nil, err
	}
	raw.SetDeadline(time.Now().Add(opTimeout))
	if c.connect != nil {
		if err := askTunnel(raw, c.connect); err != nil {
			raw.Close()
			return nil, err
		}
	}
	config := c.tls
	if sessions != nil {
		config = config.Clone()
		config.ClientSessionCache = sessions
	}
	t := tls.Client(raw, config)
	if err := t.Handshake(); err != nil {
		raw.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return &conn{Conn: t, raw: raw, br: bufio.NewReaderSize(t, 16<<10)}, nil
}

// askTunnel reads the answer to CONNECT byte for byte up to its empty line, so
// that nothing of what follows is taken.
func askTunnel(raw net.Conn, request []byte) error {
	if _, err := raw.Write(request); err != nil {
		return fmt.Errorf("CONNECT: %w", err)
	}
	var buf [4096]byte
	n := 0
	for {
		// The origin's side of a fresh tunnel is silent until it has a
		// ClientHello, so whatever one read brings is the answer alone.
		m, err := raw.Read(buf[n:])
		n += m
		if bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
			break
		}
		if err != nil {
			return fmt.Errorf("CONNECT: %w", err)
		}
		if n == len(buf) {
			return errors.New("CONNECT: answer over 4096 bytes")
		}
	}
	if !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 200")) && !bytes.HasPrefix(buf[:n], []byte("HTTP/1.0 200")) {
		return fmt.Errorf("CONNECT: %.200q", buf[:n])
	}
	return nil
}

// extend gives the next exchange its time.
func (c *conn) extend() { c.raw.SetDeadline(time.Now().Add(opTimeout)) }

// exchange sends a prepared request and throws its answer's body away; the
// answer must be of class 2xx.
func (c *conn) exchange(request []byte) (body int64, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	return c.answer()
}

func (c *conn) answer() (body int64, err error) {
	r, err := readHead(c.br)
	if err != nil {
		return 0, err
	}
	if r.status/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(r.body(c.br), 300))
		return 0, fmt.Errorf("status %d: %s", r.status, bytes.TrimSpace(text))
	}
	if r.length >= 0 {
		n, err := c.br.Discard(int(r.length))
		return int64(n), err
	}
	return io.Copy(io.Discard, r.body(c.br))
}

// answerHead is all that the load generator needs of an answer's head.
type answerHead struct {
	status  int
	length  int64 // -1: not given
	chunked bool
}

// body reads until the answer's end, trailers included.
func (h answerHead) body(br *bufio.Reader) io.Reader {
	switch {
	case h.chunked:
		return &chunkedBody{chunks: httputil.NewChunkedReader(br), br: br}
	case h.length >= 0:
		return io.LimitReader(br, h.length)
	default:
		return br
	}
}

// chunkedBody also takes the empty line after the last chunk, which
// httputil's reader leaves.
type chunkedBody struct {
	chunks io.Reader
	br     *bufio.Reader
}

func (b *chunkedBody) Read(p []byte) (int, error) {
	n, err := b.chunks.Read(p)
	if err != io.EOF {
		return n, err
	}
	for {
		line, err := b.br.ReadSlice('\n')
		if err != nil {
			return n, err
		}
		if len(line) <= 2 {
			return n, io.EOF
		}
	}
}

var (
	lengthName   = []byte("content-length:")
	encodingName = []byte("transfer-encoding:")
)

// readHead reads a status line and fields. It skips 1xx answers.
func readHead(br *bufio.Reader) (answerHead, error) {
	h := answerHead{length: -1}
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return h, fmt.Errorf("read answer: %w", err)
		}
		if len(line) < 14 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
			return h, fmt.Errorf("status line %.80q", line)
		}
		h.status, err = strconv.Atoi(string(line[9:12]))
		if err != nil {
			return h, fmt.Errorf("status line %.80q", line)
		}
		for {
			line, err := br.ReadSlice('\n')
			if err != nil {
				return h, fmt.Errorf("read answer: %w", err)
			}
			if len(line) <= 2 {
				break
			}
			switch {
			case hasName(line, lengthName):
				h.length, err = strconv.ParseInt(string(bytes.TrimSpace(line[len(lengthName):])), 10, 64)
				if err != nil {
					return h, err
				}
			case hasName(line, encodingName):
				h.chunked = true
			}
		}
		if h.status == 204 {
			h.length = 0
		}
		if h.status >= 200 {
			return h, nil
		}
	}
}

func hasName(line, name []byte) bool {
	return len(line) > len(name) && bytes.EqualFold(line[:len(name)], name)
}
