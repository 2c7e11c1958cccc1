package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"bottle/lib/dummyauth"
	"bottle/lib/stage"
)

func inspect(c *cli.Context) error {
	if c.NArg() > 1 {
		return stage.Misuse(stage.Hint(errors.New("inspect: more than one file"), "options come before FILE"))
	}
	format := c.String("format")
	if format != "text" && format != "json" {
		return stage.Misuse(fmt.Errorf("inspect: --format %q is neither text nor json", format))
	}
	login, err := readAny(c, c.Args().First())
	if err != nil {
		return stage.Misuse(err)
	}
	return login.describe(time.Now()).print(c.App.Writer, format)
}

// description is the output of inspect --format json.
type description struct {
	Kind        string    `json:"kind"`
	Dummy       bool      `json:"dummy"`
	AuthMode    string    `json:"auth_mode"`
	Plan        string    `json:"plan"`
	AccountID   string    `json:"account_id,omitempty"` // a codex login has one
	Expires     time.Time `json:"expires"`
	SecondsLeft int64     `json:"seconds_left"`
	Expired     bool      `json:"expired"`
}

func (c codex) describe(now time.Time) description {
	return description{
		Kind: "codex", Dummy: dummyauth.IsDummyLogin(c.Codex), AuthMode: c.AuthMode, Plan: c.Plan, AccountID: c.AccountID,
		Expires: c.Expiry, SecondsLeft: int64(c.Expiry.Sub(now) / time.Second), Expired: c.CheckExpiry(now, 0) != nil,
	}
}

func (c claude) describe(now time.Time) description {
	return description{
		Kind: "claude", Dummy: dummyauth.IsDummyClaude(c.Claude), AuthMode: "oauth", Plan: c.Subscription,
		Expires: c.Expiry, SecondsLeft: int64(c.Expiry.Sub(now) / time.Second), Expired: c.CheckExpiry(now, 0) != nil,
	}
}

func (d description) print(w io.Writer, format string) error {
	if format == "json" {
		return json.NewEncoder(w).Encode(d)
	}
	dummy := "no, a real login"
	if d.Dummy {
		dummy = "yes, minted for a bottle"
	}
	plan := d.Plan
	if plan == "" {
		plan = "none named"
	}
	left := (time.Duration(d.SecondsLeft) * time.Second).String() + " left"
	if d.Expired {
		left = "expired"
	}
	account := ""
	if d.AccountID != "" {
		account = "account: " + d.AccountID + "\n"
	}
	_, err := fmt.Fprintf(w, "kind:    %s (%s)\ndummy:   %s\nplan:    %s\n%sexpires: %s, %s\n",
		d.Kind, d.AuthMode, dummy, plan, account, d.Expires.Format(time.RFC3339), left)
	return err
}
