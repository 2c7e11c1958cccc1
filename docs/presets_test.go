package docs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/provider"
)

// presetRows is the table of presets as docs/presets.md has to show it.
func presetRows() [][]string {
	codes := func(items []string) string {
		quoted := make([]string, len(items))
		for i, s := range items {
			quoted[i] = "`" + s + "`"
		}
		return strings.Join(quoted, " ")
	}
	part := func(p provider.Part) string {
		value, header := p.Value, p.Header
		if value == "" {
			value = "{token}"
		}
		if p.Scheme != "" {
			header, value = "Authorization", p.Scheme+" "+value
		}
		text := fmt.Sprintf("`%s: %s`", header, value)
		if p.Append {
			text += " (appended)"
		}
		return text
	}
	rows := [][]string{{""}, {"-"}, {"client"}, {"hosts with the credential, passed through a filter behind egress"}, {"the host's login"}, {"in the bottle"},
		{"goes on a request with the login"}, {"goes on a request with a key"}, {"the login is renewed at"}, {"status of refusals"}, {"set for the agent"}, {"kept from the agent"}}
	for _, p := range provider.All() {
		var login, keys, variables []string
		for _, a := range p.LoginAuth {
			login = append(login, part(a))
		}
		for _, k := range p.Keys {
			where := " in `" + k.Variable + "`"
			if k.Prefix != "" {
				where = " for `" + k.Prefix + "…`" + where
			}
			for _, a := range k.Auth {
				keys = append(keys, part(a)+where)
			}
		}
		for _, v := range p.Variables {
			variables = append(variables, "`"+v.Name+"="+v.Value+"`")
		}
		for i, cell := range []string{
			"`" + p.Name + "`", "-", p.Client, codes(p.Hosts),
			fmt.Sprintf("`%s` in `$%s`, `~/%s`", p.Login.File, p.Login.DirVariable, p.Login.HomeDir),
			fmt.Sprintf("`agent/%s/%s`", p.Name, p.Login.File),
			strings.Join(login, "<br>"), strings.Join(keys, "<br>"),
			"`https://" + p.TokenHost + p.TokenPath + "`", fmt.Sprint(p.RefusalStatus),
			strings.Join(variables, "<br>"), codes(p.Overriding),
		} {
			rows[i] = append(rows[i], cell)
		}
	}
	return rows
}

func TestPresets(t *testing.T) {
	var want strings.Builder
	for _, row := range presetRows() {
		if row[0] == "-" {
			want.WriteString("|" + strings.Repeat("-|", len(row)) + "\n")
			continue
		}
		for _, cell := range row {
			want.WriteString(strings.TrimRight("| "+cell, " ") + " ")
		}
		want.WriteString("|\n")
	}
	require.Equal(t, want.String(), strings.TrimPrefix(between(t, "presets.md", "presets"), "\n"))
}
