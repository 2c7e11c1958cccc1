package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"bottle/lib/filter"
	"bottle/lib/proxy/proxytest"
	"bottle/lib/stage"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){filter.Stage: func() { stage.Main(app()) }})
}

// TestScripts runs the scripts about the proxy; those about scan have commands
// of their own.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txt")
	require.NoError(t, err)
	p := proxytest.Params("")
	p.Files = slices.DeleteFunc(files, func(f string) bool { return strings.HasPrefix(filepath.Base(f), "scan_") })
	require.NotEmpty(t, p.Files)
	testscript.Run(t, p)
}
