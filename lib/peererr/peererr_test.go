package peererr_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/peererr"
)

func TestNothingOfThePeersIsQuoted(t *testing.T) {
	for _, said := range []string{"said-by-peer\r\n\r\n", "HTTP/1.1 200 OK\r\nsaid-by-peer\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: said-by-peer\r\n\r\n"} {
		_, err := http.ReadResponse(bufio.NewReader(strings.NewReader(said)), nil)
		require.ErrorContains(t, err, "said-by-peer", "or there is nothing to be seen here")
		require.NotContains(t, peererr.Cause(fmt.Errorf("read: %w", err)).Error(), "said-by-peer")
	}
	require.NotContains(t, peererr.Cause(errors.New("said-by-peer")).Error(), "said")
	require.Equal(t, io.ErrUnexpectedEOF, peererr.Cause(fmt.Errorf("read: %w", io.ErrUnexpectedEOF)))
}
