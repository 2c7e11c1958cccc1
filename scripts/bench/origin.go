package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// jsonSize is the size in bytes of the small request and of its answer.
const jsonSize = 1024

// runOrigin is the helper process that plays the origin: HTTPS, HTTP/2 and
// HTTP/1.1 as ALPN decides. A request for authHost that does not carry the
// real token is answered 401, so that a variant which stopped injecting
// cannot score.
func runOrigin(args []string) error {
	fs := flag.NewFlagSet("origin", flag.ContinueOnError)
	cert := fs.String("cert", "", "certificate `file`")
	key := fs.String("key", "", "key `file`")
	ready := fs.String("ready-file", "", "`file` that gets the bound address")
	h2 := fs.Bool("h2", true, "offer HTTP/2")
	if err := fs.Parse(args); err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:           originHandler("Bearer " + os.Getenv(tokenVariable)),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}},
		ReadHeaderTimeout: time.Minute,
		Protocols:         new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(*h2)
	if err := writeReady(*ready, l.Addr().String()); err != nil {
		return err
	}
	stopOnSignal(func() { srv.Shutdown(context.Background()) })
	return ignoreClosed(srv.ServeTLS(l, "", ""))
}

func originHandler(authorization string) http.Handler {
	answer := make([]byte, 0, jsonSize)
	answer = append(answer, `{"answer":"`...)
	for len(answer) < jsonSize-2 {
		answer = append(answer, 'a')
	}
	answer = append(answer, `"}`...)

	mux := http.NewServeMux()
	mux.HandleFunc("POST /json", func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err != nil || n != jsonSize {
			http.Error(w, fmt.Sprintf("body of %d bytes: %v", n, err), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		w.Write(answer)
	})
	mux.HandleFunc("GET /wait", func(w http.ResponseWriter, r *http.Request) {
		ms, _ := strconv.Atoi(r.FormValue("ms"))
		time.Sleep(time.Duration(ms) * time.Millisecond)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /sink", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 64<<10))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, n)
	})
	mux.HandleFunc("GET /source", source)
	mux.HandleFunc("GET /events", events)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == authHost && r.Header.Get("Authorization") != authorization {
			http.Error(w, "the real credential is missing", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// source answers with so many bytes, with their length or chunked.
func source(w http.ResponseWriter, r *http.Request) {
	left, err := strconv.ParseInt(r.FormValue("bytes"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.FormValue("chunked") == "" {
		w.Header().Set("Content-Length", strconv.FormatInt(left, 10))
	}
	block := make([]byte, 32<<10)
	for left > 0 {
		n := min(left, int64(len(block)))
		if _, err := w.Write(block[:n]); err != nil {
			return
		}
		left -= n
	}
}

// events sends n server-sent events, gap milliseconds apart. The data of each
// is the wall clock in nanoseconds just before it is written.
func events(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	gap, _ := strconv.Atoi(r.FormValue("gap"))
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	tick := time.NewTicker(time.Duration(gap) * time.Millisecond)
	defer tick.Stop()
	for i := range n {
		if i > 0 {
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprintf(w, "data: %d\n\n", time.Now().UnixNano())
		if err := flush.Flush(); err != nil {
			return
		}
	}
}
