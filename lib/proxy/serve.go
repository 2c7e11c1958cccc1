package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"bottle/lib/audit"
	"bottle/lib/forward"
	"bottle/lib/recording"
	"bottle/lib/secret"
	"bottle/lib/stage"
)

const defaultDrain = 10 * time.Second

// serve is the life of a proxy: load, listen, say ready, serve; SIGHUP
// reloads, SIGTERM or SIGINT drains, a second one ends the process.
func (p *Program) serve(c *cli.Context) error {
	if id := c.String("trace"); id != "" {
		return p.trace(c, id)
	}
	if c.NArg() > 0 {
		return stage.Misuse(stage.Hint(fmt.Errorf("unknown command %q", c.Args().First()), "see "+p.Name+" --help"))
	}
	log, err := newLogger(c)
	if err != nil {
		return err
	}
	// net/http's client writes bytes that an origin sent unasked to the standard
	// logger, and an origin may have repeated a credential there.
	stdlog.SetOutput(io.Discard)
	collectSeldom()
	l, config, err := p.load(c)
	if err != nil {
		return err
	}
	limitMemory(l.Memory)
	s := l.Settings
	auditPath := s.AuditLog
	if auditPath != "" && c.String("audit-log") == "" {
		auditPath = l.File.Resolve(auditPath)
	}
	records, err := audit.Open(auditPath)
	if err != nil {
		if c.String("audit-log") != "" {
			return stage.Misuse(fmt.Errorf("--audit-log: %w", err))
		}
		return stage.Misuse(l.File.Errorf("audit_log", "%w", err))
	}
	defer records.Close()
	listener, err := listen(s.Listen, c.Bool("allow-remote"))
	if err != nil {
		if c.String("listen") != "" {
			return stage.Misuse(fmt.Errorf("--listen: %w", err))
		}
		return stage.Misuse(l.File.Errorf("listen", "%w", err).WithHint("stop what listens there, or choose another address with --listen"))
	}
	options := forward.Options{Stage: p.Name, Limits: s.Limits.Engine(), Log: log, Audit: records}
	if name := c.String("har"); name != "" {
		if c.Int64("har-limit") <= 0 {
			listener.Close()
			return stage.Misuse(errors.New("--har-limit: want a number of MiB above 0"))
		}
		r, err := recording.Create(name, recording.Options{Stage: p.Name, Version: stage.Version(), Limit: c.Int64("har-limit") << 20, Log: log})
		if err != nil {
			listener.Close()
			return stage.Misuse(stage.Hint(fmt.Errorf("--har: %w", err), "name a new file, or a regular one of your own that is no symbolic link"))
		}
		options.Recorder = r
		defer func() {
			if cerr := r.Close(); cerr != nil {
				log.Error("recording ended badly", "err", cerr)
			}
		}()
	}
	engine := forward.New(options, config)

	l.follow(log)
	defer func() { l.close(log) }() // of the one that is in force then

	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	served := make(chan error, 1)
	go func() { served <- engine.Serve(listener) }()

	address := addressOf(listener)
	if ready := c.String("ready-file"); ready != "" {
		if err := secret.WriteFile(ready, []byte(address+"\n"), 0o644); err != nil {
			engine.Close()
			<-served
			return fmt.Errorf("write ready file: %w", err)
		}
		defer os.Remove(ready)
	}
	log.Info("serving", "address", address, "config", l.File.Path(), "next_hop", config.Dialer.NextHop.String(), "version", stage.Version())

	for {
		select {
		case err := <-served:
			if err != nil {
				return fmt.Errorf("serve: %w", err)
			}
			return nil
		case <-hangup:
			if next := p.reload(c, engine, records, s); next != nil {
				l.close(log)
				l = next
				limitMemory(l.Memory)
				l.follow(log)
			}
		case <-c.Context.Done():
			log.Info("draining", "timeout", c.Duration("drain-timeout"))
			ctx, cancel := context.WithTimeout(context.Background(), c.Duration("drain-timeout"))
			if err := engine.Shutdown(ctx); err != nil {
				log.Warn("cut off what did not end in time", "err", err)
			}
			cancel()
			<-served
			log.Info("stopped")
			return nil
		}
	}
}

// reload puts a new configuration in force and returns it, or keeps the old one
// and says so.
func (p *Program) reload(c *cli.Context, engine *forward.Engine, records *audit.Log, before *Settings) *Loaded {
	log, err := newLogger(c)
	if err != nil {
		return nil
	}
	l, config, err := p.load(c)
	if err == nil {
		err = records.Reopen()
	}
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			log.Error("reload failed; the old configuration stays in force", "err", line)
		}
		return nil
	}
	if l.Settings.Listen != before.Listen || l.Settings.AuditLog != before.AuditLog {
		log.Warn("listen and audit_log change at a restart only")
	}
	if l.Settings.Limits.Engine() != before.Limits.Engine() {
		log.Warn("limits change at a restart only, but for requests_per_minute")
	}
	engine.Swap(config)
	log.Info("reloaded", "config", l.File.Path())
	return l
}

// listen opens the address that clients connect to. What other machines can
// reach is refused unless the operator insists: whoever connects is given the
// real credentials' powers.
func listen(address string, allowRemote bool) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return listenUnix(path)
	}
	if address == "" {
		return nil, errors.New("no address to listen on; want 127.0.0.1:PORT or unix:PATH")
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address: want 127.0.0.1:PORT, with PORT 0 for any free one, or unix:PATH", address)
	}
	if !ap.Addr().IsLoopback() && !allowRemote {
		return nil, fmt.Errorf("%v can be reached by other machines; listen on 127.0.0.1, or insist with --allow-remote", ap.Addr())
	}
	return net.Listen("tcp", ap.String())
}

func listenUnix(path string) (net.Listener, error) {
	if path == "" {
		return nil, errors.New("unix: names no path")
	}
	if st, err := os.Lstat(path); err == nil {
		if st.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("%s exists and is not a socket", path)
		}
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return nil, fmt.Errorf("%s is in use", path)
		}
		// Left by a process that was killed.
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func addressOf(l net.Listener) string {
	if a, ok := l.Addr().(*net.UnixAddr); ok {
		return "unix:" + a.Name
	}
	return l.Addr().String()
}
