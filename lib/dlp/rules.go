package dlp

// Builtin returns the built-in rules, in the order of their documentation. The slice is the caller's.
func Builtin() []Rule {
	var rules []Rule
	for _, family := range [][]Rule{
		github(), openAI(), anthropic(), aws(), slack(), google(), keysAndBearers(),
		fromRows(modelTokens), fromRows(forgeTokens), fromRows(infraTokens), fromRows(serviceTokens),
		fromAssignments(modelAssignments), fromAssignments(forgeAssignments), fromAssignments(infraAssignments), fromAssignments(serviceAssignments),
		passwordsInURLs(), netrc(),
	} {
		rules = append(rules, family...)
	}
	return rules
}
