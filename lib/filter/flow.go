package filter

import (
	"bytes"

	"bottle/lib/dlp"
	"bottle/lib/locate"
	"bottle/lib/redact"
	"bottle/lib/wsframe"
)

// flow judges bytes that leave as soon as they are cleared. What it replaces
// keeps its length, since the whole's may have been announced.
type flow struct {
	r      *ruling
	p      place
	rules  scanner
	stream Stream         // nil where nothing flows
	where  *locate.Stream // follows the same bytes
	claim  *claim         // on memory
	beside int64          // bytes that each stream takes beside what is here

	window []byte // not yet decided; only kept to replace in it
	base   int64  // offset of window
	read   int64

	tail    *redact.Tail // of a private key that goes on
	tailAt  int64
	key     dlp.Finding
	patches []wsframe.Patch
	changed bool // something was replaced
}

// newFlow returns a flow of what stands at p, in which where locates. Each stream takes beside bytes elsewhere.
func newFlow(r *ruling, p place, rules scanner, where *locate.Stream, beside int64) *flow {
	p.tally = newTally(r)
	p.locate = func(at locate.Range) string { return where.At(at, r.hides) }
	return &flow{r: r, p: p, rules: rules, where: where, claim: r.filter.held.flow(r.req.Context()), beside: beside}
}

// reset makes w ready for another stream of the same kind. Between two of them it takes no memory of the budget.
func (w *flow) reset() {
	w.release()
	w.where.Reset()
	w.window, w.base, w.read = w.window[:0], 0, 0
	w.tail, w.patches = nil, nil
}

// scan takes the next bytes. clean is how many from the start may leave, with
// patches in them, none of which is before what was clean earlier. The patches
// are valid until the next call.
func (w *flow) scan(p []byte) (clean int64, patches []wsframe.Patch, err error) {
	w.patches = w.patches[:0]
	if !w.reserve(len(p)) {
		return 0, nil, busy()
	}
	if w.stream == nil {
		w.stream = w.rules.stream()
	}
	clean, fs := w.stream.Scan(p)
	w.where.Feed(p)
	if w.r.action != doBlock || w.r.filter.allowed != nil {
		clean = w.stream.Settled()
	}
	w.read += int64(len(p))
	if w.r.action == doRedact {
		w.window = append(w.window, p...)
	}
	clean, patches, err = w.rule(fs, clean)
	w.where.Settle(w.stream.Settled()) // what is found from now on begins behind that
	return clean, patches, err
}

// finish says that the stream has ended.
func (w *flow) finish() (patches []wsframe.Patch, err error) {
	w.patches = w.patches[:0]
	if w.stream != nil {
		_, patches, err = w.rule(w.stream.Finish(), w.read)
		w.release()
	}
	w.p.tally.flush()
	return patches, err
}

// reserve waits for the memory that scanning n bytes more takes, and reports whether there is that much.
func (w *flow) reserve(n int) bool {
	stream := newStream
	if w.stream != nil {
		stream = w.stream.Size()
	}
	return w.claim.grow(w.r.req.Context(), w.beside+int64(stream+scanRoom+cap(w.window)+w.where.Size()+2*n))
}

// release gives the memory of the stream back.
func (w *flow) release() {
	if w.stream != nil {
		w.stream.Release()
		w.stream = nil
	}
	w.claim.keep(w.beside)
}

func (w *flow) rule(fs []dlp.Finding, clean int64) (int64, []wsframe.Patch, error) {
	replace, err := w.r.filter.judgeFindings(w.r, fs, w.p)
	if err != nil {
		return 0, nil, err
	}
	for _, f := range replace {
		if err := w.mask(f.Start); err != nil {
			return 0, nil, err
		}
		raw := w.window[f.Start-w.base : f.End-w.base]
		begins := redact.BeginsKey(f, raw)
		if err := redact.InPlace(w.rules, raw, f); err != nil {
			return 0, nil, w.r.cannot(f, w.p)
		}
		w.patch(f.Start, raw)
		if begins {
			w.tail, w.key = redact.NewTail(f), f
		}
		w.tailAt = f.End // a key may go on behind what was found in it
	}
	w.r.record(replace, w.p)
	if err := w.mask(clean); err != nil {
		return 0, nil, err
	}
	if n := clean - w.base; n > 0 && len(w.window) > 0 {
		w.window = w.window[:copy(w.window, w.window[n:])]
		w.base = clean
	}
	return clean, w.patches, nil
}

// mask overwrites what has come of a private key, up to an offset.
func (w *flow) mask(to int64) error {
	from := w.tailAt
	for w.tail != nil && w.tailAt < to {
		i := w.tailAt - w.base
		c, state := w.tail.Next(w.window[i])
		w.window[i] = c
		w.tailAt++
		switch state {
		case redact.Broken:
			return w.r.cannot(w.key, w.p)
		case redact.Ended:
			w.tail = nil
		}
	}
	if w.tailAt > from {
		w.patch(from, w.window[from-w.base:w.tailAt-w.base])
	}
	return nil
}

func (w *flow) patch(at int64, data []byte) {
	w.changed = true
	w.patches = append(w.patches, wsframe.Patch{At: at, Data: bytes.Clone(data)})
}

// close records what was found before the stream broke off. No more is scanned.
func (w *flow) close() {
	w.p.tally.flush()
	w.release()
	w.claim.close()
}
