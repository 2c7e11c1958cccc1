// Package peererr tells errors of net/http, crypto/tls and net about a peer in
// words that are not the peer's.
package peererr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// Cause describes err, from the side of an origin or a next hop, in words that
// are not theirs. Errors of net/http and its parsers quote what they could
// not read, and a peer may have repeated a credential there: what is not known
// to quote nothing is told by its type alone.
func Cause(err error) error {
	var (
		invalid  x509.CertificateInvalidError
		hostname x509.HostnameError
		unknown  x509.UnknownAuthorityError
		header   tls.RecordHeaderError
		alert    tls.AlertError
		dns      *net.DNSError
		op       *net.OpError
	)
	switch {
	case errors.As(err, &invalid):
		return fmt.Errorf("certificate is invalid: reason %d of x509.InvalidReason", invalid.Reason)
	case errors.As(err, &hostname):
		return errors.New("certificate is for other names")
	case errors.As(err, &unknown):
		return errors.New("certificate is signed by an unknown authority")
	case errors.As(err, &header):
		return errors.New("first bytes are not TLS")
	case errors.As(err, &alert):
		return alert
	case errors.As(err, &dns): // quotes the name that was asked for
		return dns
	case errors.As(err, &op):
		var sys *os.SyscallError
		if errors.As(op.Err, &sys) {
			return fmt.Errorf("%s: %w", op.Op, sys)
		}
		if errors.Is(op.Err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("%s: timeout", op.Op)
		}
		return fmt.Errorf("%s: %T", op.Op, op.Err)
	}
	for _, plain := range []error{io.ErrUnexpectedEOF, io.EOF, context.Canceled, context.DeadlineExceeded, net.ErrClosed, os.ErrDeadlineExceeded} {
		if errors.Is(err, plain) {
			return plain
		}
	}
	return fmt.Errorf("%T", err)
}
