package proxy

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"bottle/lib/audit"
	"bottle/lib/stage"
)

// trace prints what became of one request: of the configuration's audit log, or
// --audit-log's, or of the logs that --trace-log names. It wants no credential:
// who looks into a log need not be able to use the routes.
func (p *Program) trace(c *cli.Context, id string) error {
	paths := c.StringSlice("trace-log")
	if len(paths) == 0 {
		path := c.String("audit-log")
		if path == "" {
			file, settings, err := p.Read(c.String("config"))
			if err != nil {
				return unreadable(c, err)
			}
			if path = settings.AuditLog; path != "" {
				path = file.Resolve(path)
			}
		}
		if path == "" {
			return stage.Misuse(stage.Hint(errors.New("--trace: there is no audit log"), "name the logs of both stages with --trace-log"))
		}
		paths = []string{path}
	}
	err := audit.Trace(c.App.Writer, id, paths...)
	if errors.Is(err, audit.ErrNoRecord) {
		err = stage.Hint(err, "a refusal tells its request_id, and so does each line of the audit log; name the log of each stage with --trace-log, if they have one each")
	}
	if err != nil {
		return fmt.Errorf("--trace %s: %w", id, err)
	}
	return nil
}
