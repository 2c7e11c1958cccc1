package filter

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"

	"bottle/lib/dlp"
	"bottle/lib/forward"
	"bottle/lib/refusal"
	"bottle/lib/tomlfile"
)

// crowded returns a filter of a small budget that nobody waits for.
func crowded(t *testing.T) *Filter {
	t.Helper()
	var c Config
	file, err := tomlfile.Parse("pipelock.toml", []byte("[dlp]\nheld_bytes = 1048576\nmax_coded_body_bytes = 65536\n"), &c)
	require.NoError(t, err)
	f, err := c.Filter(file)
	require.NoError(t, err)
	f.held.wait = 0
	return f
}

// taken is how many bytes of a budget of most are not free.
func taken(budget *semaphore.Weighted, most int64) int64 {
	free := int64(0)
	for n := most; n > 0; n /= 2 {
		for budget.TryAcquire(n) {
			free += n
		}
	}
	budget.Release(free)
	return most - free
}

func isBusy(err error) bool {
	r, ok := errors.AsType[*refusal.Refusal](err)
	return ok && r.Code == refusal.FilterBusy
}

// flowing returns a request whose body has no announced length, and the ruling on it.
func flowing(t *testing.T, f *Filter, proto int, body io.Reader) (*ruling, *http.Request) {
	req := httptest.NewRequestWithContext(t.Context(), "POST", "/", body)
	req.ContentLength, req.ProtoMajor = -1, proto
	return f.ruling(req, &forward.Exchange{}), req
}

// What the scanner knows of bodies that flow, and what it takes to send them,
// is memory that an agent can have many of.
func TestBodiesThatFlowShareABudget(t *testing.T) {
	for proto, most := range map[int]int{1: 10, 2: 2} {
		f := crowded(t)
		var bodies []*http.Request
		for {
			r, req := flowing(t, f, proto, strings.NewReader("some words"))
			if err := r.scanBody(); err != nil {
				require.True(t, isBusy(err), "%v", err)
				break
			}
			bodies = append(bodies, req)
			require.LessOrEqual(t, len(bodies), most, "HTTP/%d", proto)
		}
		require.NotEmpty(t, bodies)
		for _, req := range bodies {
			sent, err := io.ReadAll(req.Body)
			require.NoError(t, err)
			require.Equal(t, "some words", string(sent))
			require.NoError(t, req.Body.Close())
		}
		require.True(t, f.held.untaken())
		r, req := flowing(t, f, proto, strings.NewReader("some words"))
		require.NoError(t, r.scanBody())
		require.NoError(t, req.Body.Close(), "that was not read")
		require.True(t, f.held.untaken())
		_, err := req.Body.Read(make([]byte, 10))
		require.ErrorIs(t, err, http.ErrBodyReadAfterClose)
	}
}

// A text in which many readings are open takes more, and what is not there
// ends the body.
func TestWhatAScannerGrowsToIsOfTheBudget(t *testing.T) {
	f := crowded(t)
	readings := strings.Repeat("MzMz", 64<<10)
	r, req := flowing(t, f, 1, strings.NewReader(readings))
	require.NoError(t, r.scanBody())
	before := taken(f.held.flowing, 2*f.held.most)
	_, err := io.ReadFull(req.Body, make([]byte, 128<<10))
	require.NoError(t, err)
	after := taken(f.held.flowing, 2*f.held.most)
	require.Greater(t, after, before+256<<10)
	b := req.Body.(*flowingBody)
	require.GreaterOrEqual(t, after, int64(b.flow.stream.Size()))

	other, another := flowing(t, f, 1, strings.NewReader(readings))
	require.NoError(t, other.scanBody())
	require.True(t, f.held.flowing.TryAcquire(2*f.held.most-taken(f.held.flowing, 2*f.held.most)))
	n, err := io.Copy(io.Discard, another.Body)
	require.True(t, isBusy(err), "%v", err)
	require.Less(t, n, int64(len(readings)))
}

// A message of a WebSocket takes memory while it comes, an idle connection none.
func TestIdleWebSocketsTakeNothingOfTheBudget(t *testing.T) {
	f := crowded(t)
	r, _ := flowing(t, f, 1, nil)
	m := newMessages(r)
	for range 3 {
		require.True(t, f.held.untaken())
		m.Start(1)
		_, err := m.Write([]byte("some words"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, taken(f.held.flowing, 2*f.held.most), int64(m.flow.stream.Size()))
		require.NoError(t, m.Finish())
	}
	require.True(t, f.held.untaken())
}

// The scanner that reads along while a body arrives is of the budget as well,
// and small bodies have a budget, too.
func TestBodiesThatArriveTakeOfTheBudget(t *testing.T) {
	for size, least := range map[int]int64{1000: 1000, small: small, 2 * small: 2*small + 60<<10, 300 << 10: 360 << 10} {
		f := crowded(t)
		text := bytes.Repeat([]byte("some words "), size/11+1)[:size]
		more, arrives := io.Pipe()
		req := httptest.NewRequestWithContext(t.Context(), "POST", "/", more)
		req.ContentLength = int64(size)
		r := f.ruling(req, &forward.Exchange{})
		claim := f.held.claim(t.Context())
		read := make(chan error)
		scan := &arriving{rules: r.bodyRules()}
		go func() {
			_, err := gather(req, claim, 1<<20, scan)
			read <- err
		}()
		_, err := arrives.Write(text)
		require.NoError(t, err)
		require.NoError(t, arrives.Close())
		require.NoError(t, <-read)
		all := taken(f.held.whole, f.held.most) + taken(f.held.small, f.held.most)
		require.GreaterOrEqual(t, all, least, size)
		require.Equal(t, size <= small, taken(f.held.whole, f.held.most) == 0, size)
		scan.close()
		claim.close()
		require.True(t, f.held.untaken())
	}
}

func TestMostBodiesAreDecodedLater(t *testing.T) {
	f := crowded(t)
	for range mostDecoding {
		done := f.held.decode(t.Context())
		require.NotNil(t, done)
		defer done()
	}
	r, req := flowing(t, f, 1, nil)
	req.Header.Set("Content-Encoding", "gzip")
	claim := f.held.claim(t.Context())
	var coded bytes.Buffer
	z := gzip.NewWriter(&coded)
	require.NoError(t, z.Close())
	_, err := r.judgeCoded("gzip", coded.Bytes(), claim)
	require.True(t, isBusy(err), "%v", err)
}

// leaving is a scanner whose client goes away when the first piece was scanned.
type leaving struct {
	scanner
	leave  func()
	pieces int
}

type leavingStream struct {
	Stream
	from *leaving
}

func (l *leaving) stream() Stream { return leavingStream{l.scanner.stream(), l} }

func (s leavingStream) Scan(p []byte) (int64, []dlp.Finding) {
	s.from.pieces++
	s.from.leave()
	return s.Stream.Scan(p)
}

// What nobody waits for any more is not decoded to its end.
func TestNothingIsDecodedForWhoHasGone(t *testing.T) {
	f := crowded(t)
	ctx, leave := context.WithCancel(t.Context())
	req := httptest.NewRequestWithContext(ctx, "POST", "/", nil)
	r := f.ruling(req, &forward.Exchange{})
	var coded bytes.Buffer
	z := gzip.NewWriter(&coded)
	_, err := z.Write(sparse(1 << 20))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	scan := func(rules scanner) (int64, error) {
		n, _, err := r.scanDecoded(rules, "gzip", coded.Bytes(), place{where: "body", location: "body", part: body})
		return n, err
	}
	stays := &leaving{scanner: r.bodyRules(), leave: func() {}}
	n, err := scan(stays)
	require.NoError(t, err)
	require.Equal(t, int64(1<<20), n)
	require.Greater(t, stays.pieces, 10)

	goes := &leaving{scanner: r.bodyRules(), leave: leave}
	_, err = scan(goes)
	require.ErrorIs(t, err, context.Canceled)
	_, gone := errors.AsType[*forward.BodyError](err)
	require.True(t, gone, "%v", err)
	require.Equal(t, 1, goes.pieces)
}

// sparse is text in which nothing is found.
func sparse(n int) []byte { return bytes.Repeat([]byte("words "), n/6+1)[:n] }
