package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"bottle/lib/proxy/proxytest"
	"bottle/lib/stage"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){program: func() { stage.Main(app()) }})
}

func TestScripts(t *testing.T) { testscript.Run(t, proxytest.Params("testdata/script")) }
