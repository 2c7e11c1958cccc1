package main

import "fmt"

// variant is one column: a way from the client to the origin.
type variant struct {
	name  string
	start func(*world) (*target, error)
}

// target is a variant that runs.
type target struct {
	name   string
	proxy  string // address to CONNECT through; empty: straight to the origin
	origin string
	host   string
	token  string // what the client sends
	stages []*process
	client *client
}

func (t *target) stop() {
	for _, p := range t.stages {
		p.stop()
	}
}

const (
	direct         = "direct"
	tunnel         = "pipelock tunnel"
	intercept      = "pipelock intercept"
	egressOpen     = "egress, no auth"
	egress         = "egress"
	chainTunnel    = "chain, passthrough"
	chainIntercept = "chain, intercept"
	martianProxy   = "martian"
	goproxyProxy   = "goproxy"
)

// variants in the order of the columns.
func variants() []variant {
	return []variant{
		{direct, func(w *world) (*target, error) {
			return w.target(direct, authHost, w.token), nil
		}},
		{tunnel, func(w *world) (*target, error) {
			return w.alone(tunnel, authHost, w.token)(w.startPipelock())
		}},
		{intercept, func(w *world) (*target, error) {
			return w.alone(intercept, openHost, "")(w.startPipelock())
		}},
		{egressOpen, func(w *world) (*target, error) {
			return w.alone(egressOpen, openHost, "")(w.startEgress(""))
		}},
		{egress, func(w *world) (*target, error) {
			return w.alone(egress, authHost, dummy)(w.startEgress(""))
		}},
		{chainTunnel, func(w *world) (*target, error) {
			return w.chain(chainTunnel, authHost, dummy)
		}},
		{chainIntercept, func(w *world) (*target, error) {
			// The filter would refuse an injected credential that it can
			// recognise, so this chain runs over a route that has none.
			return w.chain(chainIntercept, openHost, "")
		}},
		{martianProxy, func(w *world) (*target, error) {
			return w.alone(martianProxy, authHost, dummy)(w.startPeer("martian"))
		}},
		{goproxyProxy, func(w *world) (*target, error) {
			return w.alone(goproxyProxy, authHost, dummy)(w.startPeer("goproxy"))
		}},
	}
}

// alone describes a way through the one stage that was just started.
func (w *world) alone(name, host, token string) func(*process, error) (*target, error) {
	return func(p *process, err error) (*target, error) {
		if err != nil {
			return nil, err
		}
		return w.target(name, host, token, p), nil
	}
}

// chain starts egress with pipelock as its next hop.
func (w *world) chain(name, host, token string) (*target, error) {
	filter, err := w.startPipelock()
	if err != nil {
		return nil, err
	}
	inject, err := w.startEgress("http://" + filter.addr)
	if err != nil {
		filter.stop()
		return nil, err
	}
	return w.target(name, host, token, inject, filter), nil
}

// target describes a way that starts at the first of stages.
func (w *world) target(name, host, token string, stages ...*process) *target {
	t := &target{name: name, host: host, token: token, origin: w.origin.addr, stages: stages}
	if len(stages) > 0 {
		t.proxy = stages[0].addr
	}
	t.client = newClient(t, w.roots)
	return t
}

func findVariants(names []string) ([]variant, error) {
	if len(names) == 0 {
		return variants(), nil
	}
	var found []variant
	for _, name := range names {
		n := len(found)
		for _, v := range variants() {
			if v.name == name {
				found = append(found, v)
			}
		}
		if len(found) == n {
			return nil, fmt.Errorf("no variant %q", name)
		}
	}
	return found, nil
}
