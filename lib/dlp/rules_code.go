package dlp

import "bytes"

const githubFormats = "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats"

func github() []Rule {
	return []Rule{
		{
			Name:    "github-token",
			Matches: "ghp_, gho_, ghu_, ghs_ or ghr_ and 36 letters and digits",
			Source:  "https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/",
			Check:   "the last 6 characters are the CRC-32 of the 30 before, in base 62",
			patterns: []pattern{{
				keywords: []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_"},
				steps:    run(alnum, 36, 36),
				check:    all(func(m []byte) bool { return crc32Base62(m[4:]) }),
				joins:    joinChecked,
			}},
		},
		{
			Name:    "github-refresh-token",
			Matches: "ghr_ and 76 letters and digits",
			Source:  githubFormats,
			Check:   "exact length; at least 20 different characters",
			patterns: []pattern{{
				keywords: []string{"ghr_"},
				steps:    run(alnum, 76, 76),
				after:    alnum,
				check:    all(func(m []byte) bool { return varied(m[4:], 20) }),
				joins:    joinRandom,
			}},
		},
		{
			Name:    "github-installation-token",
			Matches: "ghs_, an app's number, and a JWT (since April 2026)",
			Source:  "https://github.blog/changelog/2026-05-15-github-app-installation-tokens-per-request-override-header/",
			Check:   "three base64url parts; the first decodes to JSON with alg, the second begins a JSON object",
			patterns: []pattern{{
				keywords: []string{"ghs_"},
				steps: seq(run(digit, 1, 20), lit("_"),
					jwtSteps(func(m []byte) []byte { return m[len("ghs_")+bytes.IndexByte(m[len("ghs_"):], '_')+1:] })),
				joins:    joinChecked,
				dotted:   true,
				joinFrom: 4, // the payload
				lined:    true,
			}},
		},
		{
			Name:    "github-fine-grained-token",
			Matches: "github_pat_, 22 letters and digits, _, 59 letters and digits",
			Source:  githubFormats,
			Check:   "exact lengths; at least 16 different characters",
			patterns: []pattern{{
				keywords: []string{"github_pat_"},
				steps:    seq(run(alnum, 22, 22), lit("_"), run(alnum, 59, 59)),
				after:    alnum,
				check:    all(func(m []byte) bool { return varied(m[11:], 16) && !placeholder(m) }),
				joins:    joinRandom,
			}},
		},
	}
}

func openAI() []Rule {
	return []Rule{{
		Name:    "openai-api-key",
		Matches: "sk-, sk-proj-, sk-svcacct-, sk-admin- and a body around T3BlbkFJ",
		Source:  "https://docs.gitguardian.com/secrets-detection/secrets-detection-engine/detectors/specifics/openai_project_apikey",
		Check:   "at least 20 characters on both sides of T3BlbkFJ (base64 of OpenAI), of at least 16 kinds",
		patterns: []pattern{{
			keywords: []string{"sk-"},
			steps:    run(base64URL, 48, 240),
			check:    openAIKey,
			joins:    joinChecked,
		}},
	}}
}

// openAIKey finds the infix. The parts around it have the same length in every kind of key (20, 58 or 74), so that the
// end is known even where other text of the same characters follows.
func openAIKey(match []byte) (from, to int, ok bool) {
	infix := []byte("T3BlbkFJ")
	at := bytes.Index(match, infix)
	if at < 0 {
		return 0, 0, false
	}
	left, right := match[len("sk-"):at], match[at+len(infix):]
	// The kind ("proj-") is not part of the body; a body may contain '-', a kind does not.
	if dash := bytes.IndexByte(left[:min(len(left), 12)], '-'); dash >= 0 && !hasAll(left[:dash], upperNum) {
		left = left[dash+1:]
	}
	if len(left) < 20 || len(right) < 20 || !varied(match, 16) {
		return 0, 0, false
	}
	to = len(match)
	switch n := len(left); n {
	case 20, 58, 74:
		to = min(to, at+len(infix)+n)
	}
	return 0, to, true
}

func anthropic() []Rule {
	return []Rule{{
		Name:    "anthropic-token",
		Matches: "sk-ant-, a kind and version (api03, admin01, oat01, ort01, sid01), - and 80 to 140 characters",
		Source:  "https://gitlab.com/gitlab-org/security-products/analyzers/secrets/-/merge_requests/319",
		Check:   "api and admin keys: 95 characters, the 87th - or the last two AA; all: at least 20 different characters",
		patterns: []pattern{{
			keywords: []string{"sk-ant-"},
			steps:    seq(run(lower, 2, 8), run(digit, 2, 2), lit("-"), run(base64URL, 80, 140)),
			check:    anthropicToken,
			joins:    joinRandom,
		}},
	}}
}

// anthropicToken judges a body of 86 characters, '-', and 8 that end in AA: the form that Anthropic gave to scanners. Of
// tokens other than API keys less is published, so that they may have any length.
func anthropicToken(match []byte) (from, to int, ok bool) {
	kind, _, _ := bytes.Cut(match[len("sk-ant-"):], []byte("-"))
	at := len("sk-ant-") + len(kind) + 1
	body := match[at:]
	isKey := bytes.HasPrefix(kind, []byte("api")) || bytes.HasPrefix(kind, []byte("admin"))
	switch {
	case len(body) >= 95 && (body[86] == '-' || string(body[93:95]) == "AA"):
		body = body[:95]
	case isKey:
		return 0, 0, false
	}
	return 0, at + len(body), varied(body, 20)
}
