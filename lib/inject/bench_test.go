package inject_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/secret"
)

// BenchmarkAnswer is 100 MB through the whole stage, TLS on both sides.
func BenchmarkAnswer(b *testing.B) {
	const size = 100 << 20
	chunk := make([]byte, 1<<20)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range chunk {
		chunk[i] = byte(r.Uint32())
	}
	w := newWorld(b, fmt.Sprintf(echoRoutes, secret.SHA256(dummyToken)), func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Content-Length", fmt.Sprint(size))
		for range size / len(chunk) {
			if _, err := rw.Write(chunk); err != nil {
				return
			}
		}
	})
	c := w.client(false)
	c.Timeout = 0
	for _, run := range []struct{ name, host string }{{"redacted", "always.test"}, {"plain", "status.test"}} {
		b.Run(run.name, func(b *testing.B) {
			b.SetBytes(size)
			before := cpuTime(b)
			for b.Loop() {
				res, err := c.Get("https://" + run.host + "/")
				require.NoError(b, err)
				n, err := io.Copy(io.Discard, res.Body)
				require.NoError(b, err)
				require.EqualValues(b, size, n)
				res.Body.Close()
				<-w.seen
			}
			// Of client, stage and origin together; on a busy machine it tells more.
			b.ReportMetric((cpuTime(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRequest is a small exchange on a kept connection.
func BenchmarkRequest(b *testing.B) {
	w := newWorld(b, fmt.Sprintf(echoRoutes, secret.SHA256(dummyToken)), func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		io.WriteString(rw, `{"ok":true,"text":"an answer as small as they come"}`)
	})
	c := w.client(false)
	for _, run := range []struct{ name, host string }{{"redacted", "always.test"}, {"plain", "status.test"}} {
		b.Run(run.name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				res, err := c.Get("https://" + run.host + "/")
				require.NoError(b, err)
				_, err = io.Copy(io.Discard, res.Body)
				require.NoError(b, err)
				res.Body.Close()
				<-w.seen
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
}
