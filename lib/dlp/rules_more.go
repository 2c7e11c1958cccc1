package dlp

import (
	"bytes"
)

const uuidForm = "<H>{8}-<H>{4}-<H>{4}-<H>{4}-<H>{12}"

// agentTokens are the keys of what agents use beside models: search, browsers, sandboxes, GPUs, evaluation.
var agentTokens = []row{
	{"openai-unmarked-key", "OpenAI key without its mark", "sk-proj-|sk-svcacct-|sk-admin-", "<u>{40,240}", "https://platform.openai.com/docs/api-reference/authentication", "random text", randomText},
	{"sk-api-key", "key of DeepSeek, Moonshot, Qwen, Stability, Braintrust and others", "sk-", "<h>{32}|<a>{48}", "https://api-docs.deepseek.com", "random text", randomOrHex},
	{"gemini-api-key", "Gemini API key, new form", "AQ.Ab8RN6", "<u>{40,60}", "https://ai.google.dev/gemini-api/docs/api-key", "", nil},
	{"helicone-api-key", "Helicone API key", "sk-helicone-|pk-helicone-", "<l>{7}-<l>{7}-<l>{7}-<l>{7}", "https://docs.helicone.ai", "", nil},
	{"llamacloud-api-key", "LlamaCloud API key", "llx-", "<u>{48}", "https://docs.cloud.llamaindex.ai", "", nil},
	{"jina-api-key", "Jina API key", "jina_", "<u>{60}", "https://jina.ai/embeddings/", "", nil},
	{"e2b-api-key", "E2B API key", "e2b_", "<h>{40}", "https://e2b.dev/docs/api-key", "", nil},
	{"browserbase-api-key", "Browserbase API key", "bb_live_", "<u>{27}", "https://docs.browserbase.com", "", nil},
	{"runpod-api-key", "RunPod API key", "rpa_", "<a>{40,50}", "https://docs.runpod.io/get-started/api-keys", "", nil},
	{"kaggle-token", "Kaggle API token", "KGAT_", "<h>{32}", "https://www.kaggle.com/docs/api", "", nil},
	{"cursor-api-key", "Cursor or Runway API key", "key_", "<h>{64}|<h>{128}", "https://cursor.com/docs/account/teams/admin-api", "", nil},
	{"amp-token", "Amp access token", "sgamp_user_", "[A-Za-z0-9_]{40,100}", "https://ampcode.com/manual", "", nil},
	{"modal-token", "Modal token id or secret", "ak-|as-", "<a>{22}", "https://modal.com/docs/reference/modal.config", "random text of both cases; no words in camel case", func(m []byte) bool {
		return randomText(m[3:]) && hasAll(m[3:], lower, upperLetter) && !capitalizedWords(m[3:]) && !camelCase(m[3:])
	}},
	{"nomic-api-key", "Nomic API key", "nk-", "<u>{43}", "https://docs.nomic.ai", "upper and lower case mixed", mixedCase},
	{"infisical-service-token", "Infisical service token", "st.", uuidForm + ".<h>{32}.<h>{32}|<h>{24}.<h>{32}.<h>{32}", "https://infisical.com/docs/documentation/platform/token", "", nil},
	{"context7-api-key", "Context7 API key", "ctx7sk-", uuidForm, "https://context7.com/docs", "", nil},
}

// moreTokens are those of clouds, forges and services that are met less often.
var moreTokens = []row{
	{"vault-token", "HashiCorp Vault service token, short", "hvs.", "<u>{24}", "https://developer.hashicorp.com/vault/docs/concepts/tokens", "random text", randomText},
	{"google-hmac-key-id", "Google Cloud Storage HMAC key id", "GOOG1E", "<c>{55}", "https://cloud.google.com/storage/docs/authentication/hmackeys", "", nil},
	{"firebase-server-key", "Firebase Cloud Messaging server key", "<u>{11}:APA91b", "<u>{120,160}", "https://firebase.google.com/docs/cloud-messaging/auth-server", "", nil},
	{"cloudflare-tunnel-token", "Cloudflare Tunnel token", "eyJhIjoi", "<s>{120,300}", "https://developers.cloudflare.com/cloudflare-one/networks/connectors/cloudflare-tunnel/", "base64 of account, tunnel and secret", base64JSON(`"t":"`, `"s":"`)},
	{"grafana-api-key", "Grafana API key, old form", "eyJrIjoi", "<s>{60,400}", "https://grafana.com/docs/grafana/latest/developers/http_api/auth/", "base64 of a key and its name", base64JSON(`"n":"`, `"id":`)},
	{"vercel-prefixed-token", "Vercel token with a prefix", "vcp_|vci_|vca_|vcr_|vck_", "<a>{24}|<a>{56,60}", "https://vercel.com/docs/rest-api", "random text", randomText},
	{"render-api-key", "Render API key", "rnd_", "<a>{28}|<a>{32}", "https://render.com/docs/api", "random text", randomText},
	{"harness-token", "Harness token", "pat.|sat.", "<u>{22}.<h>{24}.<a>{20}", "https://developer.harness.io/docs/platform/automation/api/add-and-manage-api-keys/", "", nil},
	{"databricks-oauth-secret", "Databricks OAuth secret", "dose", "<h>{32}", "https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m", "", nil},
	{"clickhouse-cloud-secret", "ClickHouse Cloud API secret", "4b1d", "<a>{38}", "https://clickhouse.com/docs/cloud/manage/openapi", "random text", randomText},
	{"cockroachdb-api-key", "CockroachDB Cloud API key", "CCDB1_", "<a>{22}_<a>{40}", "https://www.cockroachlabs.com/docs/cockroachcloud/managing-access", "", nil},
	{"xata-api-key", "Xata API key", "xau_", "<a>{36}", "https://xata.io/docs", "random text", randomText},
	{"maxmind-license-key", "MaxMind license key", "[A-Za-z0-9_]{36}_mm", "k", "https://support.maxmind.com/hc/en-us/articles/4407111582235", "", nil},
	{"newrelic-license-key", "New Relic license key", "<a>{36}NRA", "L", newRelicKeys, "", nil},
	{"honeycomb-key", "Honeycomb ingest key", "hcaik_|hcbik_|hcxik_|hcalk_|hcamk_", "<l>{58}", "https://docs.honeycomb.io/configure/environments/manage-api-keys/", "", nil},
	{"axiom-token", "Axiom API token", "xaat-|xapt-", uuidForm, "https://axiom.co/docs/reference/tokens", "", nil},
	{"honeybadger-token", "Honeybadger API token", "hbp_", "<a>{36}", "https://docs.honeybadger.io/api/", "random text", randomText},
	{"datadog-prefixed-key", "Datadog application key with a prefix", "ddapp_", "<a>{34}", "https://docs.datadoghq.com/account_management/api-app-keys/", "", nil},
	{"bitbucket-http-token", "Bitbucket Data Center access token", "BBDC-", "<s>{44}", "https://confluence.atlassian.com/bitbucketserver/http-access-tokens-939515499.html", "", nil},
	{"gitlab-session-cookie", "GitLab session cookie", "_gitlab_session=", "<h>{32}", gitlabTokens, "", nil},
	{"packagist-token", "Private Packagist token", "packagist_uut_|packagist_ort_|packagist_out_|packagist_ack_", "<h>{40,90}", "https://packagist.com/docs", "", nil},
	{"segment-token", "Segment public API token", "sgp_", "<a>{64}", "https://segment.com/docs/api/public-api/", "random text", randomText},
	{"slack-cookie", "Slack session cookie", "xoxd-", "[A-Za-z0-9+/=_-]{40,400}", slackTokens, "", nil},
	{"discord-token", "Discord bot token", "MT|Mj|Mz|ND|NT|Nj|Nz|OD|OT", "[AEIMQUYcgk][w-z0-5][MNO]<u>{18,21}.<u>{6}.<u>{27}|[AEIMQUYcgk][w-z0-5][MNO]<u>{18,21}.<u>{6}.<u>{38}", discordDocs, "the first part is base64 of a number", discordToken},
	{"facebook-access-token", "Facebook access token", "EAAC|EAAM|EAAB|EAAG", "<a>{100,400}", "https://developers.facebook.com/docs/facebook-login/guides/access-tokens/", "random text, no base64 of tables", dense(4, 12)},
	{"square-access-token-2", "Square access token, new form", "EAAA", "<u>{60}", squareTokens, "random text, no base64 of tables", dense(4, 9)},
	{"stripe-prod-key", "Stripe key, of an organisation or old", "sk_prod_|rk_prod_|sk_org_live_|sk_org_test_", "<a>{24,247}", "https://docs.stripe.com/keys", "", nil},
	{"paypal-access-token", "PayPal access token", "A21AA", "<u>{80,110}", "https://developer.paypal.com/api/rest/authentication/", "", nil},
	{"plaid-access-token", "Plaid access token", "access-production-|access-development-|access-sandbox-", uuidForm, "https://plaid.com/docs/quickstart/glossary/", "", nil},
	{"woocommerce-secret", "WooCommerce consumer secret", "cs_", "<h>{40}", "https://woocommerce.com/document/woocommerce-rest-api/", "", nil},
	{"klaviyo-api-key", "Klaviyo private API key", "pk_", "<h>{34}", "https://developers.klaviyo.com/en/docs/authenticate_", "", nil},
	{"clickup-token", "ClickUp personal token", "pk_", "<d>{6,10}_<c>{32}", "https://developer.clickup.com/docs/authentication", "", nil},
	{"trello-token", "Trello token", "ATTA", "<H>{64}|<H>{72}", "https://developer.atlassian.com/cloud/trello/guides/rest-api/api-introduction/", "", nil},
	{"dropbox-token", "Dropbox short-lived access token", "sl.u.|sl.A|sl.B|sl.C", "<u>{130,1500}", "https://developers.dropbox.com/oauth-guide", "random text", randomText},
	{"intercom-token", "Intercom access token", "dG9rOj", "<s>{50,60}", "https://developers.intercom.com/docs/build-an-integration/learn-more/authentication", "base64 of tok:", nil},
	{"salesforce-token", "Salesforce session id", "00D", "<a>{12}![A-Za-z0-9_.]{80,120}", "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/intro_oauth_and_connected_apps.htm", "", nil},
	{"cloudinary-url", "Cloudinary URL", "cloudinary://", "<d>{12,18}:<u>{24,32}", "https://cloudinary.com/documentation/cloudinary_sdks", "", nil},
	{"pubnub-secret-key", "PubNub secret key", "sec-c-", "<a>{40,60}", "https://www.pubnub.com/docs/general/setup/account-setup", "random text", randomText},
	{"stytch-secret", "Stytch secret", "secret-live-|secret-test-", "<u>{36}=", "https://stytch.com/docs/api/authentication", "", nil},
	{"twitch-token", "Twitch chat token", "oauth:", "<l>{30}", "https://dev.twitch.tv/docs/chat/authenticating/", "a digit", hasDigit},
	{"zoho-token", "Zoho OAuth token", "1000.", "<h>{32}.<h>{32}", "https://www.zoho.com/accounts/protocol/oauth.html", "", nil},
	{"yandex-oauth-token", "Yandex OAuth token", "y0_|y1_|y2_|y3_", "<u>{55,60}", "https://yandex.com/dev/id/doc/en/", "random text", randomText},
	{"exoscale-key", "Exoscale API key", "EXO", "<h>{24,32}", "https://community.exoscale.com/product/iam/", "", nil},
	{"extended-private-key", "extended private key of a wallet (BIP 32)", "xprv", "<a>{107}", "https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki", "", nil},
	{"docker-swarm-token", "Docker Swarm join token or unlock key", "SWMTKN-1-|SWMKEY-1-", "<l>{50}-<l>{25}|<s>{43}", "https://docs.docker.com/engine/swarm/join-nodes/", "", nil},
	{"inngest-signing-key", "Inngest signing key", "signkey-prod-|signkey-test-|signkey-branch-", "<h>{64}", "https://www.inngest.com/docs/platform/signing-keys", "", nil},
	{"lob-api-key", "Lob API key", "live_|test_", "<h>{35}", "https://docs.lob.com", "", nil},
	{"twilio-account-token", "Twilio account SID and its auth token", "AC", "<h>{32}:<h>{32}", "https://www.twilio.com/docs/iam/api/authtoken", "", nil},
	{"launchdarkly-sdk-key", "LaunchDarkly SDK key of a server", "sdk-", "<h>{8}-<h>{4}-4<h>{3}-[89ab]<h>{3}-<h>{12}", "https://launchdarkly.com/docs/sdk/concepts/client-side-server-side", "", nil},
	{"adafruit-io-key", "Adafruit IO key", "aio_", "<a>{28}", "https://io.adafruit.com/api/docs/#authentication", "upper and lower case mixed", mixedCase},
	{"shopify-partner-token", "Shopify partner API token", "prtapi_", "<h>{32,40}", shopifyTokens, "", nil},
}

var moreAssignments = []assignment{
	{"django-secret-key", "Django secret key", "secret_key", "[a-z0-9!@#$%^&*(=+)_-]{49}[a-z0-9!@#$%^*(=+)_-]", "https://docs.djangoproject.com/en/stable/ref/settings/#secret-key", "letters, digits and signs; not one that says it is insecure", func(v []byte) bool {
		return hasAll(v, digit, lower) && countOf(lower, v)+countOf(digit, v)+5 < len(v) && !bytes.Contains(v, []byte("insecure"))
	}},
	{"captcha-secret", "secret of reCAPTCHA, hCaptcha or Turnstile", "captcha_secret|captcha_secret_key|captcha_private_key|captcha_server_key", "6L<u>{38}|0x<H>{40}|0x4AAAA<u>{26,30}", "https://developers.google.com/recaptcha/docs/verify", "not the one for tests", func(v []byte) bool { return !bytes.HasPrefix(v, []byte("6LeIxAcT")) }},
	{"azure-devops-password", "Azure DevOps personal access token, old form", "azure_devops_ext_pat|azure_devops_pat|azure_devops_token|azdo_pat|azdo_token|ado_pat|vsts_pat|system_accesstoken", "<l>{52}", "https://learn.microsoft.com/en-us/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate", "", hasDigit},
	{"kubeadm-token", "token of kubeadm join", "bootstrap_token|kubeadm_token|join_token", "<l>{6}.<l>{16}", "https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/", "a digit", hasDigit},
	{"zai-api-key", "Z.ai (Zhipu) API key", "zai_api_key|zhipu_api_key|zhipuai_api_key|bigmodel_api_key|glm_api_key", "<h>{32}.<a>{16}", "https://docs.z.ai/guides/overview/quick-start", "", nil},
	{"heroku-legacy-api-key", "Heroku API key, old form", "heroku_api_key|heroku_token|heroku_api_token", uuidForm, "https://devcenter.heroku.com/articles/authentication", "", nil},
	{"hetzner-token", "Hetzner Cloud API token", "hcloud_token|hetzner_token|hetzner_api_token", "<a>{64}", "https://docs.hetzner.cloud", "random text", randomText},
	{"linode-token", "Linode personal access token", "linode_token|linode_api_token|linode_cli_token", "<h>{64}", "https://techdocs.akamai.com/linode-api/reference/get-started", "", nil},
	{"jenkins-token", "Jenkins API token", "jenkins_token|jenkins_api_token", "11<h>{32}|<h>{32}", "https://www.jenkins.io/doc/book/system-administration/authenticating-scripted-clients/", "", nil},
	{"vault-legacy-token", "HashiCorp Vault token of before 1.10", "vault_token|root_token", "s.<a>{24}|b.<a>{90,300}", "https://developer.hashicorp.com/vault/docs/concepts/tokens", "random text", func(v []byte) bool { return randomText(v[2:]) }},
	{"vultr-api-key", "Vultr API key", "vultr_api_key|vultr_token", "<c>{36}", "https://docs.vultr.com/platform/other/api", "a digit", hasDigit},
	{"alibaba-access-key-secret", "Alibaba Cloud AccessKey secret", "access_key_secret|aliyun_secret", "<a>{30}", "https://www.alibabacloud.com/help/en/ram/user-guide/create-an-accesskey-pair", "random text", randomText},
	{"pagerduty-api-key", "PagerDuty API key", "pagerduty_api_key|pagerduty_token|pd_api_key", "[A-Za-z0-9_+-]{20}", "https://support.pagerduty.com/main/docs/api-access-keys", "random text", randomText},
	{"facebook-app-token", "Facebook app access token", "access_token", "<d>{13,17}[{-}]<u>{27,40}", "https://developers.facebook.com/docs/facebook-login/guides/access-tokens/", "", nil},
	{"ethereum-private-key", "private key of a wallet", "private_key|wallet_key|signer_key|deployer_key", "0x<h>{64}", "https://ethereum.org/en/developers/docs/accounts/", "not one that development nodes print", func(v []byte) bool { return !ofDevelopmentNode(v[2:]) }},
}

// ofDevelopmentNode reports whether v begins like a key of a wallet that Hardhat and Anvil print for everybody.
func ofDevelopmentNode(v []byte) bool {
	for _, known := range []string{"ac0974be", "59c6995e", "5de4111a", "7c852118", "47e179ec", "8b3a350c", "92db14e4", "4bbbf85c", "dbda1821", "2a871d07"} {
		if bytes.HasPrefix(v, []byte(known)) {
			return true
		}
	}
	return false
}

// countOf returns how many bytes of v are of c.
func countOf(c *class, v []byte) (n int) {
	for _, b := range v {
		if c[b] {
			n++
		}
	}
	return n
}

// oneTimeSecrets are the secrets that apps for one-time passwords are set up with.
func oneTimeSecrets() Rule {
	return Rule{
		Name:    "otpauth-secret",
		Matches: "otpauth://totp/ or otpauth://hotp/, a label and the parameter secret",
		Source:  "https://github.com/google/google-authenticator/wiki/Key-Uri-Format",
		Check:   "16 characters of base32 or more, of at least 8 kinds; not the documentation's",
		patterns: []pattern{{
			keywords: []string{"auth://totp/", "auth://hotp/"},
			within:   set("p"),
			steps:    run(set("A-Za-z0-9._~%!$&*+=@:/?-"), 20, 400),
			check: func(m []byte) (from, to int, ok bool) {
				from = bytes.Index(m, []byte("secret=")) + len("secret=")
				to = from + runOf(base32, m[from:], len(m))
				v := m[from:to]
				return from, to, from > len("secret=") && len(v) >= 16 && varied(v, 8) && !bytes.HasPrefix(v, []byte("JBSWY3DPEHPK3PXP")) && !placeholder(m)
			},
		}},
	}
}

// npmAuth is for the oldest form of .npmrc, which names no registry.
func npmAuth() Rule {
	return Rule{
		Name:    "npmrc-auth-of-all",
		Matches: "_auth= and base64",
		Source:  "https://docs.npmjs.com/cli/v11/configuring-npm/npmrc#auth-related-configuration",
		Check:   "base64 of user:password",
		patterns: []pattern{{
			keywords: []string{"auth="},
			within:   set("_"),
			steps:    run(set("A-Za-z0-9+/"), 12, 400),
			after:    set("A-Za-z0-9_-"),
			check: all(func(m []byte) bool {
				return base64Of(m[len("auth="):], func(b []byte) bool {
					_, password, _ := bytes.Cut(b, []byte(":"))
					return userAndPassword(b) && goodPassword(password)
				})
			}),
		}},
	}
}
