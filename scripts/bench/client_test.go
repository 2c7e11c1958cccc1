package main

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

func TestReadHead(t *testing.T) {
	tests := []struct {
		name, in string
		want     answerHead
		body     string
		fails    bool
	}{
		{name: "length", in: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcNEXT", want: answerHead{200, 3, false}, body: "abc"},
		{name: "length in another case", in: "HTTP/1.1 200 OK\r\ncontent-length:3\r\n\r\nabcNEXT", want: answerHead{200, 3, false}, body: "abc"},
		{name: "chunked with a trailer", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\nNEXT", want: answerHead{200, -1, true}, body: "abc"},
		{name: "no content", in: "HTTP/1.1 204 No Content\r\n\r\nNEXT", want: answerHead{204, 0, false}},
		{name: "continue first", in: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\nNEXT", want: answerHead{403, 0, false}},
		{name: "not HTTP", in: "SSH-2.0-OpenSSH_9.9\r\n\r\n", fails: true},
		{name: "bad length", in: "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", fails: true},
		{name: "cut short", in: "HTTP/1.1 200 OK\r\nContent-", fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			br := bufio.NewReader(strings.NewReader(tt.in))
			got, err := readHead(br)
			if tt.fails {
				if err == nil {
					t.Fatalf("got %+v, want an error", got)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Fatalf("got %+v, %v, want %+v", got, err, tt.want)
			}
			body, err := io.ReadAll(got.body(br))
			if err != nil || string(body) != tt.body {
				t.Errorf("body %q, %v, want %q", body, err, tt.body)
			}
			if rest, _ := io.ReadAll(br); string(rest) != "NEXT" {
				t.Errorf("left on the connection: %q, want NEXT", rest)
			}
		})
	}
}

func TestAskTunnel(t *testing.T) {
	for answer, ok := range map[string]bool{
		"HTTP/1.1 200 Connection established\r\n\r\n":            true,
		"HTTP/1.0 200 OK\r\n\r\n":                                true,
		"HTTP/1.1 403 Forbidden\r\nProxy-Status: egress\r\n\r\n": false,
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 5000):     false,
		"HTTP/1.1 200 Connection est":                            false,
	} {
		client, proxy := net.Pipe()
		go func() {
			bufio.NewReader(proxy).ReadString('\n')
			io.WriteString(proxy, answer)
			proxy.Close()
		}()
		err := askTunnel(client, []byte("CONNECT a.test:443 HTTP/1.1\r\n"))
		client.Close()
		if (err == nil) != ok {
			t.Errorf("%.40q: %v", answer, err)
		}
	}
}
