package filter_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/refusal"
)

// noise is n bytes that hold no secret and do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// digest answers with the SHA-256 of the body and its declared length.
func digest(rw http.ResponseWriter, req *http.Request) {
	h := sha256.New()
	if _, err := io.Copy(h, req.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(rw, "%x %d %s %s %v", h.Sum(nil), req.ContentLength, req.Header.Get("Content-Encoding"), req.Trailer.Get("X-Sum"), req.ProtoMajor)
}

func TestHarmlessBodiesPassByteForByte(t *testing.T) {
	coded := func(n int, codings ...string) []byte { return encode(t, string(noise(n)), codings...) }
	large := noise(5 << 20)
	for _, http2 := range []bool{false, true} {
		t.Run("http2="+strconv.FormatBool(http2), func(t *testing.T) {
			w := newWorld(t, allowed, digest)
			c := w.client(http2)
			for _, tc := range []struct {
				body   []byte
				coding string
			}{
				{noise(1), ""}, {noise(64<<10 - 1), ""}, {noise(64 << 10), ""}, {noise(64<<10 + 1), ""},
				{noise(1<<20 - 1), ""}, {noise(1 << 20), ""}, {noise(1<<20 + 1), ""}, {large, ""},
				{coded(100_000, "gzip"), "gzip"}, {coded(100_000, "deflate"), "deflate"}, {coded(100_000, "bare deflate"), "deflate"},
				{coded(1<<20, "zstd"), "zstd"}, {coded(100_000, "gzip", "zstd"), "gzip, zstd"}, {noise(70_000), "identity"},
			} {
				for _, chunked := range []bool{false, true} {
					if big := len(tc.body) >= 5<<20; len(tc.body) > 100_100 && (chunked != big || http2 != big) {
						continue // scanning takes its time: one way is enough for the large ones
					}
					name := fmt.Sprintf("%d bytes, coding %q, chunked %v", len(tc.body), tc.coding, chunked)
					req := request(t, "POST", "https://origin.test/", bytes.NewReader(tc.body))
					length, sum := len(tc.body), ""
					if chunked {
						req = request(t, "POST", "https://origin.test/", unsized(bytes.NewReader(tc.body)))
						req.Trailer = http.Header{"X-Sum": {"t"}}
						length, sum = -1, "t"
					}
					if tc.coding != "" {
						req.Header.Set("Content-Encoding", tc.coding)
					}
					res, body := w.do(c, req)
					require.Equal(t, 200, res.StatusCode, "%s: %.300s", name, body)
					proto := 1
					if http2 {
						proto = 2
					}
					require.Equal(t, fmt.Sprintf("%x %d %s %s %d", sha256.Sum256(tc.body), length, tc.coding, sum, proto), body, name)
				}
			}
			res, body := w.do(c, request(t, "POST", "https://origin.test/", http.NoBody))
			require.Equal(t, 200, res.StatusCode)
			require.Equal(t, fmt.Sprintf("%x 0", sha256.Sum256(nil)), body[:66])
		})
	}
}

func TestExpectContinue(t *testing.T) {
	w := newWorld(t, allowed, digest)
	for _, size := range []int{1000, 100_000, 2 << 20} {
		req := request(t, "POST", "https://origin.test/", bytes.NewReader(noise(size)), "Expect", "100-continue")
		res, body := w.do(w.client(false), req)
		require.Equal(t, 200, res.StatusCode)
		require.Contains(t, body, fmt.Sprintf("%x", sha256.Sum256(noise(size))))
	}
	// What is refused by its head is refused before the body is sent.
	var read lockedBuffer
	req := request(t, "POST", "https://origin.test/"+w.secret(""), io.TeeReader(bytes.NewReader(noise(1000)), &read), "Expect", "100-continue")
	req.ContentLength = 1000
	w.refused(w.client(false), req, 403, refusal.SecretInRequest)
	require.Empty(t, read.String())
}

// Both directions of a stream flow at once: each line is answered before the
// next one is sent.
func TestStreamsFlowBothWays(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		w := newWorld(t, allowed, func(rw http.ResponseWriter, req *http.Request) {
			http.NewResponseController(rw).EnableFullDuplex()
			rw.WriteHeader(200)
			http.NewResponseController(rw).Flush()
			b := make([]byte, 4096)
			for {
				n, err := req.Body.Read(b)
				if n > 0 {
					rw.Write(b[:n])
					http.NewResponseController(rw).Flush()
				}
				if err != nil {
					return
				}
			}
		})
		pr, pw := io.Pipe()
		go io.WriteString(pw, "first line\n")
		res, err := w.client(http2).Do(request(t, "POST", "https://origin.test/", pr))
		require.NoError(t, err)
		b := make([]byte, 100)
		for i := range 20 {
			n, err := res.Body.Read(b)
			require.NoError(t, err)
			require.Contains(t, string(b[:n]), "line\n", "line %d", i)
			_, err = io.WriteString(pw, "next line\n")
			require.NoError(t, err)
		}
		// A secret ends it, however late.
		s := w.secret("")
		go func() {
			io.WriteString(pw, s+"\n")
			pw.Close()
		}()
		// Half an answer is out, so that only the record says why. Mostly the agent
		// sees it cut off; an origin that ends its answer at once when its request
		// breaks off can be faster.
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		r := w.records(1, isRefused)[0]
		require.Equal(t, gitlab, r.Rule)
	}
}

// Bodies that are judged whole share a budget of memory. What waits for it must
// go on when it is given back, and an answer that takes its time must not keep
// what the body no longer needs.
func TestSlowAnswersDoNotHoldTheBudgetOfBodies(t *testing.T) {
	const n = 24
	var here atomic.Int64
	all := make(chan struct{})
	w := newWorld(t, allowed, func(rw http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		if here.Add(1) == n {
			close(all)
		}
		select { // no answer before all requests are here
		case <-all:
		case <-req.Context().Done():
		}
	})
	body := encode(t, string(noise(100_000)), "gzip")
	var done sync.WaitGroup
	for range n {
		done.Go(func() {
			res, err := w.client(false).Do(request(t, "POST", "https://origin.test/", unsized(bytes.NewReader(body)), "Content-Encoding", "gzip"))
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			if res.StatusCode != 200 {
				t.Errorf("status %d", res.StatusCode)
			}
		})
	}
	done.Wait()
}

func TestManyHeldBodiesAtOnce(t *testing.T) {
	w := newWorld(t, allowed, digest)
	plain := noise(1 << 20)
	coded := encode(t, string(noise(1<<20)), "gzip")
	secrets := make([]string, 16)
	for i := range secrets {
		secrets[i] = w.secret(strconv.Itoa(i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var done sync.WaitGroup
	for i := range 16 {
		done.Go(func() {
			c := w.client(i%2 == 0)
			var req *http.Request
			want := 200
			switch i % 4 {
			case 0:
				req = request(t, "POST", "https://origin.test/", bytes.NewReader(plain))
			case 1:
				req = request(t, "POST", "https://origin.test/", unsized(bytes.NewReader(coded)), "Content-Encoding", "gzip")
			case 2:
				req = request(t, "POST", "https://origin.test/", strings.NewReader(filler+secrets[i]))
				want = 403
			case 3:
				var b bytes.Buffer
				z := gzip.NewWriter(&b)
				io.WriteString(z, filler+secrets[i])
				z.Close()
				req = request(t, "POST", "https://origin.test/", unsized(&b), "Content-Encoding", "gzip")
				want = 403
			}
			res, err := c.Do(req.WithContext(ctx))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("request %d: status %d, want %d", i, res.StatusCode, want)
			}
		})
	}
	done.Wait()
}
