package framing

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// piped returns a guard and the client's end of its connection, in a bubble of
// false time.
func piped(t *testing.T, limits Limits) (*Conn, net.Conn) {
	inner, client := net.Pipe()
	t.Cleanup(func() { inner.Close(); client.Close() })
	return NewConn(inner, limits), client
}

// send writes all of s although nobody may read it yet.
func send(c net.Conn, s string) { go io.WriteString(c, s) }

type readResult struct {
	s   string
	err error
}

// reading starts a Read of at most n bytes.
func reading(c net.Conn, n int) <-chan readResult {
	ch := make(chan readResult, 1)
	go func() {
		p := make([]byte, n)
		n, err := c.Read(p)
		ch <- readResult{string(p[:n]), err}
	}()
	return ch
}

func TestHeadTimeoutRunsFromTheFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, client := piped(t, Limits{HeadTimeout: 10 * time.Second})
		got := reading(guard, 4096)
		time.Sleep(time.Hour) // idle: no time runs
		send(client, "G")
		synctest.Wait()
		start := time.Now()
		time.Sleep(9 * time.Second)
		send(client, "ET / HTTP/1.1\r\n") // progress buys no time
		synctest.Wait()
		require.Empty(t, got)
		require.Equal(t, readResult{standIn, nil}, <-got)
		require.Equal(t, 10*time.Second, time.Since(start))
		require.Equal(t, HeaderTimeout, guard.Violation().Code)
	})
}

func TestHeadInTimeLeavesNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, client := piped(t, Limits{HeadTimeout: 10 * time.Second})
		for range 3 {
			got := reading(guard, 4096)
			send(client, good[:10])
			time.Sleep(9 * time.Second)
			send(client, good[10:])
			require.Equal(t, readResult{good, nil}, <-got)
		}
		got := reading(guard, 4096)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Empty(t, got)
		send(client, posting[:len(posting)-2])
		require.Equal(t, readResult{posting[:len(posting)-2], nil}, <-got)
		got = reading(guard, 4096)
		time.Sleep(time.Hour) // a slow body is not a slow head
		send(client, "lo")
		require.Equal(t, readResult{"lo", nil}, <-got)
	})
}

func TestNegativeHeadTimeoutIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, client := piped(t, Limits{HeadTimeout: -1})
		got := reading(guard, 4096)
		send(client, good[:10])
		time.Sleep(1000 * time.Hour)
		send(client, good[10:])
		require.Equal(t, readResult{good, nil}, <-got)
	})
}

// An idle timeout that began before the head must not cut it short, and holds
// again after it.
func TestCallerDeadlineWaitsForTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, client := piped(t, Limits{HeadTimeout: 10 * time.Second})
		require.NoError(t, guard.SetReadDeadline(time.Now().Add(time.Minute)))
		got := reading(guard, 4096)
		time.Sleep(59 * time.Second)
		send(client, posting[:10])
		time.Sleep(5 * time.Second)
		send(client, posting[10:len(posting)-5])
		require.Equal(t, readResult{posting[:len(posting)-5], nil}, <-got)
		require.ErrorIs(t, (<-reading(guard, 4096)).err, os.ErrDeadlineExceeded)
		require.NoError(t, guard.SetReadDeadline(time.Now().Add(time.Second)))
		start := time.Now()
		r := <-reading(guard, 4096)
		require.ErrorIs(t, r.err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.NoError(t, guard.SetReadDeadline(time.Time{}))
		send(client, "hello")
		require.Equal(t, readResult{"hello", nil}, <-reading(guard, 4096))
	})
}

func TestIdleDeadlineEndsAnIdleRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, _ := piped(t, Limits{})
		require.NoError(t, guard.SetDeadline(time.Now().Add(time.Minute)))
		start := time.Now()
		r := <-reading(guard, 4096)
		require.ErrorIs(t, r.err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(start))
		require.Nil(t, guard.Violation())
	})
}

// net/http aborts its background read by a deadline in the past, then reads
// on: at whatever byte of whatever state, nothing may be lost or repeated.
func TestAbortedReadsLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := posting + good + chunkedHead + "5\r\nhello\r\n0\r\nA: b\r\n\r\n" + "\r\n" + good
		want := posting + good + chunkedHead + "5\r\nhello\r\n0\r\nA: b\r\n\r\n" + good
		guard, client := piped(t, Limits{HeadTimeout: time.Hour})
		next := make(chan struct{}, len(stream)+1)
		go func() {
			for i := range len(stream) {
				<-next
				client.Write([]byte{stream[i]})
			}
			<-next
			client.Close()
		}()
		var out string
		for i := range len(stream) {
			got := reading(guard, 1+i%3)
			synctest.Wait()
			next <- struct{}{}
			synctest.Wait()
			require.NoError(t, guard.SetReadDeadline(time.Unix(1, 0)))
			r := <-got
			out += r.s
			if r.err != nil {
				require.ErrorIs(t, r.err, os.ErrDeadlineExceeded)
			}
			require.NoError(t, guard.SetReadDeadline(time.Time{}))
		}
		next <- struct{}{}
		rest, err := io.ReadAll(guard)
		require.NoError(t, err)
		require.Equal(t, want, out+string(rest))
		require.Nil(t, guard.Violation())
	})
}

// The head's time goes on while nobody reads, and ends in the next Read.
func TestAbortDoesNotResetTheHeadTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, client := piped(t, Limits{HeadTimeout: 10 * time.Second})
		got := reading(guard, 1)
		send(client, "GET")
		time.Sleep(6 * time.Second)
		require.NoError(t, guard.SetReadDeadline(time.Unix(1, 0)))
		require.ErrorIs(t, (<-got).err, os.ErrDeadlineExceeded)
		require.NoError(t, guard.SetReadDeadline(time.Time{}))
		require.Nil(t, guard.Violation())
		start := time.Now()
		require.Equal(t, readResult{standIn, nil}, <-reading(guard, 4096))
		require.Equal(t, 4*time.Second, time.Since(start))
		require.Equal(t, HeaderTimeout, guard.Violation().Code)
	})
}

// An abort that is taken back before the Read noticed is not the head's end.
func TestAbortTakenBackIsNoViolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, client := piped(t, Limits{})
		got := reading(guard, 4096)
		send(client, good[:10])
		synctest.Wait()
		require.NoError(t, guard.SetReadDeadline(time.Unix(1, 0)))
		require.NoError(t, guard.SetReadDeadline(time.Time{}))
		synctest.Wait()
		send(client, good[10:])
		require.Equal(t, readResult{good, nil}, <-got)
		require.Nil(t, guard.Violation())
	})
}

// Whoever reads after a CONNECT head, before the server has answered, gets
// nothing and can be aborted.
func TestReadWaitsForTheAnswerToConnect(t *testing.T) {
	for _, early := range []string{"", hello} {
		for _, tc := range []struct {
			answer string
			then   readResult
		}{
			{"HTTP/1.1 200 OK\r\n\r\n", readResult{hello, nil}},
			{"HTTP/1.0 299 Fine\r\n\r\n", readResult{hello, nil}},
			{"HTTP/1.1 103 Early\r\nLink: HTTP/1.1 403\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", readResult{hello, nil}},
			{"HTTP/1.1 403 No\r\n\r\n", readResult{standIn, nil}},
			{"HTTP/1.1 101 Other\r\n\r\n", readResult{standIn, nil}},
			{"HTTP/2 200 ok\r\n\r\n", readResult{standIn, nil}},
			{"no response at all", readResult{standIn, nil}},
		} {
			synctest.Test(t, func(t *testing.T) {
				guard, client := piped(t, Limits{})
				go io.Copy(io.Discard, client)
				send(client, connect+early)
				require.Equal(t, readResult{connect, nil}, <-reading(guard, 4096))
				for range 2 {
					got := reading(guard, 1)
					synctest.Wait()
					require.Empty(t, got)
					require.NoError(t, guard.SetReadDeadline(time.Unix(1, 0)))
					require.ErrorIs(t, (<-got).err, os.ErrDeadlineExceeded)
					require.NoError(t, guard.SetReadDeadline(time.Now().Add(time.Second)))
					require.ErrorIs(t, (<-reading(guard, 1)).err, os.ErrDeadlineExceeded)
					require.NoError(t, guard.SetReadDeadline(time.Time{}))
				}
				got := reading(guard, 4096)
				synctest.Wait()
				for _, c := range []byte(tc.answer) {
					_, err := guard.Write([]byte{c})
					require.NoError(t, err)
				}
				if early == "" {
					send(client, hello)
				}
				require.Equal(t, tc.then, <-got)
			})
		}
	}
}

func TestCloseEndsAWaitingRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, client := piped(t, Limits{})
		send(client, connect+hello)
		require.Equal(t, readResult{connect, nil}, <-reading(guard, 4096))
		got := reading(guard, 1)
		synctest.Wait()
		require.NoError(t, guard.Close())
		require.ErrorIs(t, (<-got).err, net.ErrClosed)
	})
}

func TestDetachAbortsAReadAndReturnsWhatItHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, stream := range []string{connect + hello, good + "GET / HT"} {
			guard, client := piped(t, Limits{HeadTimeout: 10 * time.Second})
			send(client, stream)
			head := <-reading(guard, 4096)
			got := reading(guard, 1)
			synctest.Wait()
			inner, early := guard.Detach()
			require.ErrorIs(t, (<-got).err, os.ErrDeadlineExceeded)
			require.Equal(t, stream, head.s+string(early))
			require.Same(t, guard.NetConn(), inner)
			time.Sleep(time.Hour)
			send(client, "more")
			require.Equal(t, readResult{"more", nil}, <-reading(inner, 4096))
			send(client, "yet more")
			require.Equal(t, readResult{"yet more", nil}, <-reading(guard, 4096))
		}
	})
}

// After the stand-in the guard eats what the client still sends, so that the
// context of the refusal's handler lives as long as the client does.
func TestReadAfterTheStandInWaitsForTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, client := piped(t, Limits{})
		send(client, "bad\r\n")
		require.Equal(t, readResult{standIn, nil}, <-reading(guard, 4096))
		got := reading(guard, 1)
		send(client, good)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Empty(t, got)
		go func() {
			for err := error(nil); err == nil; {
				_, err = client.Write(make([]byte, 4096))
			}
		}()
		require.Equal(t, readResult{"", io.EOF}, <-got)
	})
}

// serve runs a real server on one end of a pipe in false time.
func serve(t *testing.T, server *http.Server, limits Limits) net.Conn {
	guard, client := piped(t, limits)
	l := &chanListener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	l.conns <- guard
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, guardKey{}, From(c))
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close(); synctest.Wait() })
	return client
}

func TestServerTimeoutsStillWork(t *testing.T) {
	refusing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v := guardOf(r).Violation(); v != nil {
			w.WriteHeader(v.Status())
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				panic(err)
			}
			w.WriteHeader(http.StatusGatewayTimeout)
			return
		}
		w.Write(body)
	})
	ask := func(t *testing.T, c net.Conn, br *bufio.Reader, s string) int {
		send(c, s)
		resp, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		return resp.StatusCode
	}
	closedAfter := func(t *testing.T, br *bufio.Reader, d time.Duration) {
		start := time.Now()
		_, err := br.ReadByte()
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, d, time.Since(start))
	}
	t.Run("idle", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := serve(t, &http.Server{Handler: refusing, IdleTimeout: time.Minute, ReadHeaderTimeout: 20 * time.Second}, Limits{})
			br := bufio.NewReader(c)
			for range 3 {
				require.Equal(t, 200, ask(t, c, br, posting))
				time.Sleep(50 * time.Second)
			}
			closedAfter(t, br, 10*time.Second)
		})
	})
	t.Run("nothing sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := serve(t, &http.Server{Handler: refusing, ReadHeaderTimeout: 20 * time.Second}, Limits{})
			closedAfter(t, bufio.NewReader(c), 20*time.Second)
		})
	})
	t.Run("slow head at the end of the idle time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := serve(t, &http.Server{Handler: refusing, IdleTimeout: time.Minute, ReadHeaderTimeout: 20 * time.Second}, Limits{})
			br := bufio.NewReader(c)
			require.Equal(t, 200, ask(t, c, br, posting))
			time.Sleep(59 * time.Second)
			send(c, good[:10])
			time.Sleep(5 * time.Second)
			require.Equal(t, 200, ask(t, c, br, good[10:]))
			time.Sleep(59 * time.Second)
			start := time.Now()
			require.Equal(t, 408, ask(t, c, br, good[:10]))
			require.Equal(t, DefaultHeadTimeout, time.Since(start))
		})
	})
	t.Run("slow body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := serve(t, &http.Server{Handler: refusing, ReadTimeout: time.Minute}, Limits{})
			start := time.Now()
			require.Equal(t, 504, ask(t, c, bufio.NewReader(c), posting[:len(posting)-1]))
			require.Equal(t, time.Minute, time.Since(start))
		})
	})
}
