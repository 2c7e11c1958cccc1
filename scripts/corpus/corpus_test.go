//go:build !race

// Without the race detector, under which the scanner takes ten times as long:
// what is tested is the program, a process of its own.

package corpus_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bottle/lib/dlp"
	"bottle/scripts/corpus"
)

var (
	seed   = flag.Uint64("seed", 1, "the corpus's seed")
	update = flag.Bool("update", false, "write the tables of docs/evasions.md")
)

const (
	leastRecall = 99.0
	mostWrong   = 1.0
)

func rules(t *testing.T) *dlp.Rules {
	t.Helper()
	r, err := dlp.Compile(dlp.Builtin(), dlp.Options{})
	require.NoError(t, err)
	return r
}

func show(t *testing.T, s *corpus.Score, name string) {
	t.Helper()
	var b bytes.Buffer
	s.Print(&b, name)
	t.Log(b.String())
}

func TestCorpusIsLargeEnoughAndTheSameAgain(t *testing.T) {
	c := corpus.New(*seed)
	counted, names := 0, map[string]bool{}
	for _, list := range [][]corpus.Case{c.Planted, c.Harmless} {
		for _, k := range list {
			require.False(t, names[k.Name] && k.Planted, k.Name)
			names[k.Name] = true
			if k.Planted && !k.Beyond {
				counted++
			}
		}
	}
	require.GreaterOrEqual(t, counted, 300)
	require.GreaterOrEqual(t, len(c.Harmless), 300)
	require.Equal(t, c, corpus.New(*seed))
}

// start builds bottle-pipelock and starts it.
func start(t *testing.T, c *corpus.Corpus, onMatch string) *corpus.Live {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "bottle-pipelock")
	out, err := exec.Command("go", "build", "-o", program, "bottle/cmd/bottle-pipelock").CombinedOutput()
	require.NoError(t, err, string(out))
	live, err := corpus.StartLive(program, dir, c.Known, onMatch)
	require.NoError(t, err)
	t.Cleanup(live.Close)
	return live
}

// What is found must not arrive when it is redacted, either.
func TestRedactedSecretsDoNotArrive(t *testing.T) {
	c := corpus.New(*seed)
	s, err := start(t, c, "redact").Score(t.Context(), c.Every(3), false)
	require.NoError(t, err)
	show(t, s, "bottle-pipelock, redacting")
	require.GreaterOrEqual(t, s.Recall(), leastRecall)
	require.LessOrEqual(t, s.Wrong(), mostWrong)
}

// The program is what counts: recall and wrong blocks over the wire, and the
// page that says what gets past it.
func TestFilterReachesItsMarksAndThePageIsTrue(t *testing.T) {
	c := corpus.New(*seed)
	live := start(t, c, "block")
	var scores []*corpus.Score
	for _, http2 := range []bool{false, true} {
		name := map[bool]string{true: "bottle-pipelock, HTTP/2", false: "bottle-pipelock, HTTP/1.1"}[http2]
		s, err := live.Score(t.Context(), c, http2)
		require.NoError(t, err)
		scores = append(scores, s)
		show(t, s, name)
		assert.GreaterOrEqual(t, s.Recall(), leastRecall, name)
		assert.LessOrEqual(t, s.Wrong(), mostWrong, name)
	}
	if *seed != 1 {
		return // the page is about the first
	}
	const page, begin, end = "../../docs/evasions.md", "<!-- results:begin -->\n", "<!-- results:end -->"
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	head, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok, "%s has no %s", page, begin)
	was, tail, ok := strings.Cut(rest, end)
	require.True(t, ok, "%s has no %s", page, end)
	now := corpus.Evasions(scores...)
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(head+begin+now+end+tail), 0o644))
		return
	}
	require.Equal(t, now, was, "run: go test ./scripts/corpus -update")
}

func TestScannerLeavesHarmlessTextAlone(t *testing.T) {
	c := corpus.New(*seed)
	r, err := c.Rules()
	require.NoError(t, err)
	s := c.Score(corpus.Library(r))
	show(t, s, "lib/dlp")
	require.GreaterOrEqual(t, s.Recall(), leastRecall)
	require.LessOrEqual(t, s.Wrong(), mostWrong)
}

// Every rule has a credential in the corpus.
func TestEachRuleFindsSomething(t *testing.T) {
	c := corpus.New(*seed)
	r := rules(t)
	found := map[string]bool{}
	for i := range c.Planted {
		for _, text := range c.Planted[i].Request.Texts() {
			for _, f := range r.Scan(text) {
				found[f.Rule] = true
			}
		}
	}
	for _, rule := range dlp.Builtin() {
		assert.True(t, found[rule.Name], "%s finds nothing", rule.Name)
	}
}
