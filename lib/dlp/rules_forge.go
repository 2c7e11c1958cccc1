package dlp

import "bytes"

const (
	gitlabTokens = "https://docs.gitlab.com/security/tokens/#token-prefixes"
	npmTokens    = "https://docs.npmjs.com/about-access-tokens"
)

// forgeTokens are those of code forges, registries, and what builds and deploys.
var forgeTokens = []row{
	{"gitlab-personal-token", "GitLab personal, project or group access token", "glpat-", "<u>{20}", gitlabTokens, "", nil},
	{"gitlab-routable-token", "GitLab access token with routing", "glpat-|gldt-|glrt-|glft-|glptt-|glsoat-|glimt-|glagent-", "<u>{27,300}.<l>{9}|<u>{27,300}.<l>{2}.<l>{9}", gitlabTokens, "", nil},
	{"gitlab-deploy-token", "GitLab deploy token", "gldt-", "<u>{20}", gitlabTokens, "", nil},
	{"gitlab-feed-token", "GitLab feed token", "glft-", "<u>{20}", gitlabTokens, "", nil},
	{"gitlab-runner-token", "GitLab runner authentication token", "glrt-t1_|glrt-t2_|glrt-t3_|glrt-", "<u>{20}", gitlabTokens, "", nil},
	{"gitlab-runner-registration-token", "GitLab runner registration token", "GR1348941", "<u>{20}", gitlabTokens, "", nil},
	{"gitlab-job-token", "GitLab CI/CD job token", "glcbt-", "<a>{1,5}_<u>{20}", gitlabTokens, "", nil},
	{"gitlab-trigger-token", "GitLab trigger token", "glptt-", "<h>{40}", gitlabTokens, "", nil},
	{"gitlab-oauth-secret", "GitLab OAuth application secret", "gloas-", "<u>{64}", gitlabTokens, "", nil},
	{"gitlab-scim-token", "GitLab SCIM token", "glsoat-", "<u>{20}", gitlabTokens, "", nil},
	{"gitlab-feature-flags-token", "GitLab feature flags client token", "glffct-", "<u>{20}", gitlabTokens, "", nil},
	{"gitlab-incoming-mail-token", "GitLab incoming mail token", "glimt-", "<u>{25}", gitlabTokens, "", nil},
	{"gitlab-agent-token", "GitLab agent for Kubernetes token", "glagent-", "<u>{50}", gitlabTokens, "", nil},
	{"npm-token", "npm access token", "npm_", "<a>{36}", "https://github.blog/changelog/2021-09-23-npm-has-a-new-access-token-format/", "the last 6 characters are the CRC-32 of the 30 before, in base 62", func(m []byte) bool { return crc32Base62(m[4:]) }},
	{"pypi-token", "PyPI upload token", "pypi-AgEIcHlwaS5vcmc|pypi-AgENdGVzdC5weXBpLm9yZw", "<u>{50,1000}", "https://pypi.org/help/#apitoken", "a macaroon of that site", nil},
	{"docker-access-token", "Docker personal access token", "dckr_pat_", "<u>{27}", "https://docs.docker.com/security/access-tokens/", "", nil},
	{"docker-org-token", "Docker organisation access token", "dckr_oat_", "<u>{32}", "https://docs.docker.com/enterprise/security/access-tokens/", "", nil},
	{"rubygems-api-key", "RubyGems API key", "rubygems_", "<h>{48}", "https://guides.rubygems.org/api-key-scopes/", "", nil},
	{"crates-io-token", "crates.io API token", "cio", "<a>{32}", "https://doc.rust-lang.org/cargo/reference/registry-authentication.html", "upper and lower case mixed", mixedCase},
	{"nuget-api-key", "NuGet API key", "oy2", "<l>{43}", "https://learn.microsoft.com/en-us/nuget/nuget-org/publish-a-package", "a digit", hasDigit},
	{"clojars-token", "Clojars deploy token", "CLOJARS_", "<l>{60}", "https://github.com/clojars/clojars-web/wiki/Deploy-Tokens", "", nil},
	{"jfrog-api-key", "Artifactory API key", "AKCp", "<a>{69}", "https://jfrog.com/help/r/jfrog-platform-administration-documentation/api-key", "", nil},
	{"jfrog-reference-token", "Artifactory reference token", "cmVmdGtuOj", "<a>{54}", "https://jfrog.com/help/r/jfrog-platform-administration-documentation/reference-token", "base64 of reftkn:", nil},
	{"bitbucket-app-password", "Bitbucket app password", "ATBB", "<a>{32}", "https://support.atlassian.com/bitbucket-cloud/docs/app-passwords/", "upper and lower case mixed", func(m []byte) bool { return mixedCase(m[:len(m)-8]) }},
	{"atlassian-api-token", "Atlassian API token", "ATATT3|ATCTT3", "[A-Za-z0-9_=-]{180,220}", "https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/", "", nil},
	{"circleci-token", "CircleCI personal API token", "CCIPAT_|CCIPRJ_", "<a>{22}_<h>{40}", "https://circleci.com/docs/managing-api-tokens/", "", nil},
	{"buildkite-token", "Buildkite API access token", "bkua_", "<h>{40}", "https://buildkite.com/docs/apis/managing-api-tokens", "", nil},
	{"sonarqube-token", "SonarQube token", "sqp_|squ_|sqa_", "<h>{40}", "https://docs.sonarsource.com/sonarqube-server/latest/user-guide/managing-tokens/", "", nil},
	{"sourcegraph-token", "Sourcegraph access token", "sgp_", "<H>{16}_<H>{40}", "https://sourcegraph.com/docs/cli/how-tos/creating_an_access_token", "", nil},
	{"sourcegraph-legacy-token", "Sourcegraph access token, old form", "sgp_", "<h>{40}", "https://sourcegraph.com/docs/cli/how-tos/creating_an_access_token", "", nil},
	{"deno-deploy-token", "Deno Deploy token", "ddp_", "<a>{36}", "https://docs.deno.com/deploy/manual/deployctl", "", nil},
	{"pulumi-token", "Pulumi access token", "pul-", "<h>{40}", "https://www.pulumi.com/docs/pulumi-cloud/access-management/access-tokens/", "", nil},
	{"terraform-cloud-token", "HCP Terraform token", "<a>{14}.atlasv1.|atlasv1.", "[A-Za-z0-9_=-]{60,70}", "https://developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens", "", nil},
	{"infracost-api-key", "Infracost API key", "ico-", "<a>{32}", "https://www.infracost.io/docs/", "upper and lower case mixed: a file's name may end in .ico and a digest", mixedCase},
	{"prefect-api-key", "Prefect API key", "pnu_|pnb_", "<a>{36}", "https://docs.prefect.io/v3/how-to-guides/cloud/manage-users/api-keys", "", nil},
	{"openshift-token", "OpenShift user token", "sha256~", "<u>{43}", "https://docs.openshift.com/container-platform/latest/authentication/configuring-internal-oauth.html", "", mixedCase},
	{"octopus-api-key", "Octopus Deploy API key", "API-", "<c>{26}", "https://octopus.com/docs/octopus-rest-api/how-to-create-an-api-key", "", hasDigit},
	{"readme-api-key", "ReadMe API key", "rdme_", "<l>{70}", "https://docs.readme.com/main/reference/intro/authentication", "", nil},
	{"postman-api-key", "Postman API key", "PMAK-", "<h>{24}-<h>{34}", "https://learning.postman.com/docs/developer/postman-api/authentication/", "", nil},
	{"npmrc-auth-token", "registry token in .npmrc", ":_authToken=", "[A-Za-z0-9_.=/+-]{20,400}", "https://docs.npmjs.com/cli/v11/configuring-npm/npmrc#auth-related-configuration", "a digit", func(m []byte) bool { return hasDigit(m[len(":_authToken="):]) }},
	{"npmrc-password", "registry password in .npmrc", ":_password=", "[A-Za-z0-9+/]{10,400}", "https://docs.npmjs.com/cli/v11/configuring-npm/npmrc#auth-related-configuration", "base64 of a password", func(m []byte) bool { return base64Of(m[len(":_password="):], plainPassword) }},
	{"npmrc-auth", "registry user and password in .npmrc", ":_auth=", "[A-Za-z0-9+/]{12,400}", "https://docs.npmjs.com/cli/v11/configuring-npm/npmrc#auth-related-configuration", "base64 of user:password", func(m []byte) bool { return base64Of(m[len(":_auth="):], userAndPassword) }},
}

var forgeAssignments = []assignment{
	{"snyk-token", "Snyk API token", "snyk_token|snyk_api_token", "<h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}", "https://docs.snyk.io/snyk-api/authentication-for-api", "", nil},
	{"codecov-token", "Codecov upload token", "codecov_token", "<h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}", "https://docs.codecov.com/docs/codecov-tokens", "", nil},
	{"docker-config-auth", "user and password in Docker's config.json", `"auth":|"auth\":`, "[A-Za-z0-9+/]{16,400}", "https://docs.docker.com/reference/cli/docker/login/", "base64 of user:password", func(v []byte) bool { return base64Of(v, userAndPassword) }},
}

// plainPassword reports whether b is printable text of 6 characters or more that is no placeholder.
func plainPassword(b []byte) bool {
	return len(b) >= 6 && varied(b, 4) && !placeholder(b) && !wordPassword(b) && !bytes.ContainsFunc(b, func(r rune) bool { return r <= ' ' || r > '~' })
}

// userAndPassword reports whether b is printable text with a colon and something on either side.
func userAndPassword(b []byte) bool {
	at := bytes.IndexByte(b, ':')
	if at < 1 || len(b)-at < 6 {
		return false
	}
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return !placeholder(b[at+1:]) && varied(b[at+1:], 4)
}
