package dlp

// Builtin returns the built-in rules, in the order of their documentation. The slice is the caller's.
func Builtin() []Rule {
	var rules []Rule
	for _, family := range [][]Rule{
		github(), openAI(), anthropic(), aws(), slack(), google(), keysAndBearers(),
		fromRows(modelTokens), fromRows(forgeTokens), fromRows(infraTokens), fromRows(serviceTokens), fromRows(agentTokens), fromRows(moreTokens),
		fromAssignments(modelAssignments), fromAssignments(forgeAssignments), fromAssignments(infraAssignments), fromAssignments(serviceAssignments), fromAssignments(moreAssignments),
		passwordsInURLs(), netrc(), shellPasswords(), mailgun(), {oneTimeSecrets(), npmAuth(), wordPressKeys()},
	} {
		rules = append(rules, family...)
	}
	for i := range rules {
		rules[i].begins = rules[i].Name == "private-key" || rules[i].Name == "putty-private-key"
	}
	return append(rules, named(rules)...)
}
