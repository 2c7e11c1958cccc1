package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const block = 32 << 10

// transfer measures megabytes (10^6 bytes) per second of one body.
func transfer(up, chunked bool, key string) func(*target, options) (sample, error) {
	return func(t *target, o options) (sample, error) {
		conn, err := t.client.dial(nil)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		if _, err := conn.exchange(t.client.json); err != nil {
			return nil, err
		}
		size := int64(o.megabytes) * 1e6
		began := time.Now()
		if err := move(t.client, conn, up, chunked, size); err != nil {
			return nil, err
		}
		return sample{key: float64(size) / 1e6 / time.Since(began).Seconds()}, nil
	}
}

// move sends or fetches a body of size bytes and checks that all arrived.
func move(c *client, conn *conn, up, chunked bool, size int64) error {
	conn.extend()
	if up {
		return upload(c, conn, chunked, size)
	}
	path := fmt.Sprintf("/source?bytes=%d", size)
	if chunked {
		path += "&chunked=1"
	}
	n, err := conn.exchange(c.head("GET", path, ""))
	if err == nil && n != size {
		err = fmt.Errorf("got %d bytes of %d", n, size)
	}
	return err
}

func upload(c *client, conn *conn, chunked bool, size int64) error {
	framing := fmt.Sprintf("Content-Length: %d\r\n", size)
	prefix, suffix, last := "", "", ""
	if chunked {
		framing = "Transfer-Encoding: chunked\r\n"
		prefix, suffix, last = fmt.Sprintf("%x\r\n", block), "\r\n", "0\r\n\r\n"
	}
	if _, err := conn.Write(c.head("POST", "/sink", framing)); err != nil {
		return err
	}
	full := []byte(prefix + strings.Repeat("b", block) + suffix)
	left := size
	for ; left >= block; left -= block {
		if _, err := conn.Write(full); err != nil {
			return err
		}
	}
	rest := strings.Repeat("b", int(left))
	if chunked && left > 0 {
		rest = fmt.Sprintf("%x\r\n%s\r\n", left, rest)
	}
	if _, err := io.WriteString(conn, rest+last); err != nil {
		return err
	}
	h, err := readHead(conn.br)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(h.body(conn.br), 300))
	if err != nil {
		return err
	}
	if h.status != 200 || string(text) != strconv.FormatInt(size, 10) {
		return fmt.Errorf("sent %d bytes: status %d: %s", size, h.status, text)
	}
	return nil
}
