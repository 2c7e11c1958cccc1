package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress tells a person at a terminal how far the scan is, and nobody else.
type progress struct {
	w          io.Writer // nil: nobody looks
	done, size int64
	next       time.Time
	shown      bool
}

const progressEvery = time.Second

func newProgress(w io.Writer, size int64) *progress {
	p := &progress{size: size, next: time.Now().Add(progressEvery)}
	if f, ok := w.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
			p.w = w
		}
	}
	return p
}

func (p *progress) add(n int) {
	p.done += int64(n)
	if p.w == nil || time.Now().Before(p.next) {
		return
	}
	p.next, p.shown = time.Now().Add(progressEvery), true
	if p.size > 0 {
		fmt.Fprintf(p.w, "\r%d of %d MB (%d%%)", p.done>>20, p.size>>20, min(100*p.done/p.size, 100))
	} else {
		fmt.Fprintf(p.w, "\r%d MB", p.done>>20)
	}
}

// end wipes the line.
func (p *progress) end() {
	if p.shown {
		fmt.Fprintf(p.w, "\r%40s\r", "")
	}
}
