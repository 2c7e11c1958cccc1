package dlp

import (
	"bytes"
	"encoding/base64"
)

const awsIDs = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids"

func aws() []Rule {
	return []Rule{
		{
			Name:    "aws-access-key-id",
			Matches: "AKIA or ASIA and 16 characters of base32",
			Source:  awsIDs,
			Check:   "base32 alphabet, a word of its own, at least 6 different characters, not one of the documentation's, nor the id of who signed a URL",
			patterns: []pattern{{
				keywords: []string{"AKIA", "ASIA"},
				before:   upperNum,
				unless:   []string{"X-AMZ-CREDENTIAL=", "X-AMZ-CREDENTIAL%3D", "X-AMZ-CREDENTIAL%253D"},
				steps:    run(base32, 16, 16),
				after:    alnum,
				check:    all(func(m []byte) bool { return varied(m[4:], 6) && !isAWSExample(m) && !placeholder(m) }),
				joins:    joinRandom,
			}},
		},
		{
			Name:     "aws-secret-access-key",
			Matches:  "40 characters of base64, or 43 as other makers of the same interface have, after aws_secret_access_key, SecretAccessKey and the like",
			Source:   "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
			Check:    "exact length; upper and lower case, mixed or with a digit, at least 16 different characters; not the documentation's",
			patterns: assigning("secret_access_key|aws_secret_key|aws_secret|secret_key|secret_access", "<s>{40}|<s>{43}|<s>{54}==", awsSecretOrBase64),
		},
	}
}

// awsSecretOrBase64 takes a secret as the data of a Kubernetes Secret have it, too.
func awsSecretOrBase64(value []byte) bool {
	if len(value) == 56 {
		text, err := base64.StdEncoding.AppendDecode(nil, value)
		return err == nil && awsSecret(text)
	}
	return awsSecret(value)
}

func awsSecret(value []byte) bool {
	return hasAll(value, lower, set("A-Z")) && (hasDigit(value) || mixedCase(value)) && varied(value, 16) && !isAWSExample(value)
}

const slackTokens = "https://docs.slack.dev/authentication/tokens"

func slack() []Rule {
	slash := set("/\\") // JSON may escape it
	return []Rule{
		{
			Name:    "slack-token",
			Matches: "xoxb-, xoxp-, xoxa-, xoxr-, xoxs-, xoxo-, xoxc- or xoxe- and parts joined by -",
			Source:  slackTokens,
			Check:   "the first part is a number, the last has 10 characters or more with a digit, or upper and lower case mixed, of at least 6 kinds; no part is empty",
			patterns: []pattern{{
				keywords: []string{"xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xoxc-", "xoxe-"},
				steps:    seq(run(digit, 1, 16), lit("-"), run(set("A-Za-z0-9-"), 20, 400)),
				check:    slackToken,
				joins:    joinRandom,
			}},
		},
		{
			Name:    "slack-app-token",
			Matches: "xapp-, a digit, an app id, a number and 64 hex digits, joined by -",
			Source:  slackTokens,
			Check:   "exact form of the four parts",
			patterns: []pattern{{
				keywords: []string{"xapp-"},
				steps: seq(run(digit, 1, 2), lit("-"), run(upperNum, 9, 14), lit("-"), run(digit, 9, 16), lit("-"),
					run(lowerHex, 64, 64)),
				after: alnum,
				check: all(func(m []byte) bool { return varied(m[len(m)-64:], 8) }),
				joins: joinRandom,
			}},
		},
		{
			Name:    "slack-webhook",
			Matches: "hooks.slack.com/services/T…/B…/… and /workflows/, /triggers/",
			Source:  "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
			Check:   "ids of 8 to 14 capitals and digits; a last part of 16 characters or more, of at least 8 kinds",
			patterns: []pattern{{
				keywords: []string{"hooks.slack.com"},
				steps: seq(run(slash, 1, 2), run(lower, 8, 9), run(slash, 1, 2), run(upperNum, 8, 14), run(slash, 1, 2),
					run(alnum, 8, 20), run(slash, 1, 2), run(set("A-Za-z0-9/"), 16, 64)),
				check: slackWebhook,
				joins: joinLines, joinFrom: 3, lined: true,
			}},
		},
	}
}

func slackToken(match []byte) (from, to int, ok bool) {
	match = bytes.TrimRight(match, "-")
	last := match[bytes.LastIndexByte(match, '-')+1:]
	if bytes.HasPrefix(match, []byte("-")) || bytes.Contains(match, []byte("--")) {
		return 0, 0, false
	}
	return 0, len(match), len(match) >= 30 && len(last) >= 10 && (hasDigit(last) || mixedCase(last)) && varied(last, 6) && !placeholder(last)
}

// slackWebhook takes the longest part of the path, which is the secret, as the measure. What follows it belongs to another path.
func slackWebhook(match []byte) (from, to int, ok bool) {
	match = bytes.TrimRight(match, "/")
	_, path, _ := bytes.Cut(match, []byte("hooks.slack.com"))
	var longest []byte
	for part := range bytes.SplitSeq(path, []byte("/")) {
		if len(part) >= len(longest) {
			longest = part
		}
	}
	return 0, len(match), varied(longest, 8)
}

func google() []Rule {
	return []Rule{
		{
			Name:    "google-api-key",
			Matches: "AIza and 35 characters of base64url",
			Source:  "https://learn.microsoft.com/en-us/purview/sit-defn-google-api-key",
			Check:   "exact length, a word of its own (not amid base64), at least 12 different characters",
			patterns: []pattern{{
				keywords: []string{"AIza"},
				before:   set("A-Za-z0-9+"),
				steps:    run(base64URL, 35, 35),
				after:    set("A-Za-z0-9+_-"),
				check:    all(func(m []byte) bool { return varied(m[4:], 12) && !placeholder(m) }),
				joins:    joinRandom,
			}},
		},
		{
			Name:    "google-oauth-access-token",
			Matches: "ya29. and 60 to 2043 characters of base64url and dots",
			Source:  "https://developers.google.com/identity/protocols/oauth2#size",
			Check:   "a word of its own; at least 20 different characters",
			patterns: []pattern{{
				keywords: []string{"ya29."},
				before:   alnum,
				steps:    run(set("A-Za-z0-9._-"), 60, 2043),
				check:    all(func(m []byte) bool { return varied(m[5:], 20) && !placeholder(m) }),
				joins:    joinLines,
			}},
		},
		{
			Name:    "google-oauth-client-secret",
			Matches: "GOCSPX- and 28 characters of base64url",
			Source:  "https://docs.cli.vulnetix.com/docs/sast-rules/vnx-sec-030/",
			Check:   "exact length; at least 10 different characters",
			patterns: []pattern{{
				keywords: []string{"GOCSPX-"},
				steps:    run(base64URL, 28, 28),
				after:    base64URL,
				check:    all(func(m []byte) bool { return varied(m[7:], 10) && !placeholder(m) }),
				joins:    joinRandom,
			}},
		},
	}
}
