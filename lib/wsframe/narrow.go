package wsframe

import (
	"net/http"
	"strings"
)

// NarrowExtensions leaves only permessage-deflate in a client's offer, the Sec-WebSocket-Extensions of h: the server then
// accepts no other, whose frames nobody here could read.
func NarrowExtensions(h http.Header) {
	const field = "Sec-Websocket-Extensions"
	offers, ok := h[field]
	if !ok {
		return
	}
	var kept []string
	for _, v := range offers {
		for _, offer := range strings.Split(v, ",") {
			name, _, _ := strings.Cut(offer, ";")
			if strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") {
				kept = append(kept, strings.TrimSpace(offer))
			}
		}
	}
	if len(kept) == 0 {
		delete(h, field)
		return
	}
	h[field] = []string{strings.Join(kept, ", ")}
}
