package wsframe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Deflate is what a connection negotiated about compression (RFC 7692). The zero value means none.
type Deflate struct {
	Enabled                 bool
	ClientNoContextTakeover bool // the client's messages are compressed each on its own
	ServerNoContextTakeover bool
}

// ParseExtensions reads the Sec-WebSocket-Extensions lines of a 101 response, which say what is in force on the
// connection. No line is the zero Deflate. Anything that is not permessage-deflate with the parameters of RFC 7692 §7.1 is
// an error: frames would mean something that nobody here knows. The error does not quote the server, which may have
// repeated a credential there.
func ParseExtensions(values []string) (Deflate, error) {
	var d Deflate
	for element := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, params, _ := strings.Cut(element, ";")
		switch name = strings.ToLower(trim(name)); {
		case name == "" && params == "":
			continue // an empty list element
		case name != "permessage-deflate":
			return Deflate{}, errors.New("an extension is not known")
		case d.Enabled:
			return Deflate{}, errors.New("permessage-deflate is there twice")
		}
		d.Enabled = true
		if !strings.Contains(element, ";") {
			continue
		}
		if err := d.parseParameters(params); err != nil {
			return Deflate{}, fmt.Errorf("permessage-deflate: %w", err)
		}
	}
	return d, nil
}

func (d *Deflate) parseParameters(params string) error {
	seen := map[string]bool{}
	for param := range strings.SplitSeq(params, ";") {
		name, value, hasValue := strings.Cut(param, "=")
		name, value = strings.ToLower(trim(name)), trim(value)
		if seen[name] {
			return errors.New("a parameter is there twice")
		}
		seen[name] = true
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		switch name {
		case "client_no_context_takeover", "server_no_context_takeover":
			if hasValue {
				return errors.New("a parameter that takes no value has one")
			}
			if name[0] == 'c' {
				d.ClientNoContextTakeover = true
			} else {
				d.ServerNoContextTakeover = true
			}
		case "client_max_window_bits", "server_max_window_bits":
			// Both only make windows smaller, which concerns the compressing side.
			if bits, err := strconv.Atoi(value); err != nil || bits < 8 || bits > 15 || strconv.Itoa(bits) != value {
				return errors.New("window bits are not a number from 8 to 15")
			}
		default:
			return errors.New("a parameter is not known")
		}
	}
	return nil
}

func trim(s string) string { return strings.Trim(s, " \t") }
