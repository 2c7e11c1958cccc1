package dlp

import (
	"bytes"
	"encoding/base64"
	"slices"
)

const (
	dopplerTokens   = "https://docs.doppler.com/reference/auth-token-formats"
	newRelicKeys    = "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/"
	cloudflareKeys  = "https://developers.cloudflare.com/fundamentals/api/get-started/"
	digitalOcean    = "https://docs.digitalocean.com/reference/api/create-personal-access-token/"
	planetscale     = "https://planetscale.com/docs/api/reference/service-tokens"
	annotatedKeys   = "https://github.com/microsoft/security-utilities"
	onePasswordKeys = "https://support.1password.com/secret-key-security/"
)

// infraTokens are those of clouds, databases, secret stores and monitoring.
var infraTokens = []row{
	{"google-oauth-refresh-token", "Google OAuth refresh token", "1//0", "<u>{40,200}", "https://developers.google.com/identity/protocols/oauth2#size", "", nil},
	{"gcp-service-account-key-id", "key of a Google service account's JSON", `private_key_id": "|private_key_id":"|private_key_id\": \"|private_key_id\":\"`, "<h>{40}", "https://cloud.google.com/iam/docs/keys-create-delete", "", nil},
	{"aws-session-token", "AWS session token", "IQoJb3JpZ2lu|FwoGZXIvYXdz", "[A-Za-z0-9+/=]{200,2000}", awsIDs, "", nil},
	{"aws-mws-key", "Amazon MWS auth token", "amzn.mws.", "<h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}", gitleaksRules, "", nil},
	{"azure-annotated-key", "Azure key with Microsoft's signature, from it on", "<s>{52}JQQJ99", "<s>{26}", annotatedKeys, "", nil},
	{"azure-devops-token", "Azure DevOps personal access token", "<a>{76}AZDO", "<a>{4}", annotatedKeys, "", nil},
	{"azure-signed-key", "Azure storage, Cosmos DB, Batch or API Management key", "<s>{76}+ASt|<s>{76}ACDb|<s>{76}+ABa|<s>{76}APIM", "<s>{6}==", annotatedKeys, "", nil},
	{"azure-signed-short-key", "Azure Service Bus, Event Hubs, Relay, IoT or Redis key", "<s>{33}+ASb|<s>{33}+AEh|<s>{33}+ARm|<s>{33}AIoT|<s>{33}AzCa", "<s>{6}=", annotatedKeys, "", nil},
	{"azure-signed-word-key", "Azure AI Search or Container Registry key", "<s>{42}AzSe|<s>{42}+ACR", "<s>{6}", annotatedKeys, "", nil},
	{"azure-function-key", "Azure Functions key", "<u>{44}AzFu", "<u>{6}==", annotatedKeys, "", nil},
	{"azure-storage-key", "Azure storage or Cosmos DB account key", "AccountKey=", "<s>{86}==", "https://learn.microsoft.com/en-us/azure/storage/common/storage-account-keys-manage", "not an emulator's", notEmulators},
	{"azure-shared-access-key", "Azure Service Bus, Event Hubs or IoT key", "SharedAccessKey=", "<s>{43}=", "https://learn.microsoft.com/en-us/azure/service-bus-messaging/service-bus-sas", "", nil},
	{"azure-app-configuration-secret", "secret of an Azure App Configuration connection string", "Secret=", "<s>{43}=", "https://learn.microsoft.com/en-us/azure/azure-app-configuration/howto-best-practices", "random text", randomText},
	{"azure-sas-signature", "signature of an Azure SAS URL", "&sig=|?sig=", "<s>{43}=", "https://learn.microsoft.com/en-us/azure/storage/common/storage-sas-overview", "", nil},
	{"azure-client-secret", "Entra ID client secret", "[A-Za-z0-9_.~]{3}7Q~|[A-Za-z0-9_.~]{3}8Q~|[A-Za-z0-9_.~]{3}9Q~", "[A-Za-z0-9_.~-]{31,34}", "https://learn.microsoft.com/en-us/purview/sit-defn-client-secret-api-key", "upper and lower case mixed", mixedCase},
	{"alibaba-access-key-id", "Alibaba Cloud AccessKey id", "LTAI5t", "<a>{18}", "https://www.alibabacloud.com/help/en/ram/user-guide/create-an-accesskey-pair", "upper and lower case mixed", mixedCase},
	{"tencent-secret-id", "Tencent Cloud SecretId", "AKID", "<a>{32}", "https://www.tencentcloud.com/document/product/598/34228", "upper and lower case mixed", mixedCase},
	{"yandex-api-key", "Yandex Cloud API key", "AQVN", "<u>{35,38}", "https://yandex.cloud/en/docs/iam/concepts/authorization/api-key", "", mixedCase},
	{"digitalocean-token", "DigitalOcean personal access token", "dop_v1_", "<h>{64}", digitalOcean, "", nil},
	{"digitalocean-oauth-token", "DigitalOcean OAuth token", "doo_v1_", "<h>{64}", digitalOcean, "", nil},
	{"digitalocean-refresh-token", "DigitalOcean refresh token", "dor_v1_", "<h>{64}", digitalOcean, "", nil},
	{"cloudflare-origin-ca-key", "Cloudflare Origin CA key", "v1.0-", "<h>{24}-<h>{146}", cloudflareKeys, "", nil},
	{"databricks-token", "Databricks personal access token", "dapi", "<h>{32}", "https://docs.databricks.com/aws/en/dev-tools/auth/pat", "", nil},
	{"supabase-access-token", "Supabase access token", "sbp_", "<h>{40}", "https://supabase.com/docs/guides/api/api-keys", "", nil},
	{"supabase-secret-key", "Supabase secret key", "sb_secret_", "<u>{31}", "https://supabase.com/docs/guides/api/api-keys", "", nil},
	{"vercel-blob-token", "Vercel Blob read-write token", "vercel_blob_rw_", "<a>{16}_<a>{30}", "https://vercel.com/docs/vercel-blob/using-blob-sdk", "", nil},
	{"netlify-token", "Netlify personal access token", "nfp_", "<a>{36}", "https://docs.netlify.com/api/get-started/", "", nil},
	{"heroku-api-key", "Heroku API key", "HRKU-AA", "<u>{58}", "https://devcenter.heroku.com/articles/authentication", "", nil},
	{"heroku-prefixed-key", "Heroku API key with a prefix, first form", "HRKU-", uuidForm, "https://devcenter.heroku.com/articles/authentication", "", nil},
	{"fly-access-token", "Fly.io access token", "fm1a_|fm1r_|fm2_", "[A-Za-z0-9+/=_-]{100,2000}", "https://fly.io/docs/security/tokens/", "", nil},
	{"fly-organisation-token", "Fly.io personal token", "fo1_", "<u>{43}", "https://fly.io/docs/security/tokens/", "", nil},
	{"scalingo-token", "Scalingo API token", "tk-us-", "<u>{48}", gitleaksRules, "", nil},
	{"tailscale-key", "Tailscale key", "tskey-auth-|tskey-api-|tskey-client-|tskey-scim-|tskey-webhook-", "<a>{10,24}-<a>{20,40}", "https://tailscale.com/kb/1085/auth-keys", "", nil},
	{"planetscale-token", "PlanetScale service token", "pscale_tkn_", "[A-Za-z0-9_=.-]{32,64}", planetscale, "", nil},
	{"planetscale-password", "PlanetScale password", "pscale_pw_", "[A-Za-z0-9_=.-]{32,64}", planetscale, "", nil},
	{"planetscale-oauth-token", "PlanetScale OAuth token", "pscale_oauth_", "[A-Za-z0-9_=.-]{32,64}", planetscale, "", nil},
	{"neon-api-key", "Neon API key", "napi_", "<l>{64}", "https://neon.com/docs/manage/api-keys", "", nil},
	{"mongodb-service-account-secret", "MongoDB Atlas service account secret", "mdb_sa_sk_", "<u>{40}", "https://www.mongodb.com/docs/atlas/api/service-accounts-overview/", "", nil},
	{"vault-service-token", "HashiCorp Vault service token", "hvs.", "<u>{90,120}", "https://developer.hashicorp.com/vault/docs/concepts/tokens", "", nil},
	{"vault-batch-token", "HashiCorp Vault batch token", "hvb.", "<u>{130,300}", "https://developer.hashicorp.com/vault/docs/concepts/tokens", "", nil},
	{"doppler-token", "Doppler token", "dp.pt.|dp.ct.|dp.sa.|dp.scim.|dp.audit.", "<a>{40,44}", dopplerTokens, "", nil},
	{"doppler-service-token", "Doppler service token", "dp.st.", "[a-z0-9_-]{2,35}.<a>{40,44}", dopplerTokens, "", nil},
	{"doppler-service-token-bare", "Doppler service token without a config's name", "dp.st.", "<a>{40,44}", dopplerTokens, "", nil},
	{"onepassword-service-token", "1Password service account token", "ops_eyJ", "[A-Za-z0-9+/=_-]{250,4000}", "https://developer.1password.com/docs/service-accounts/security/", "base64 of a JSON object", nil},
	{"onepassword-secret-key", "1Password Secret Key", "A3-", "<c>{6}-<c>{6}-<c>{5}-<c>{5}-<c>{5}", onePasswordKeys, "", hasDigit},
	{"onepassword-secret-key-joined", "1Password Secret Key, its second and third group joined", "A3-", "<c>{6}-<c>{11}-<c>{5}-<c>{5}-<c>{5}", onePasswordKeys, "", hasDigit},
	{"grafana-service-account-token", "Grafana service account token", "glsa_", "<a>{32}_<H>{8}", "https://grafana.com/docs/grafana/latest/administration/service-accounts/", "", nil},
	{"grafana-cloud-token", "Grafana Cloud access policy token", "glc_", "[A-Za-z0-9+/]{60,400}", "https://grafana.com/docs/grafana-cloud/security-and-account-management/authentication-and-permissions/access-policies/", "base64 of a JSON object", func(m []byte) bool {
		return base64Of(m[4:], func(b []byte) bool { return bytes.HasPrefix(b, []byte(`{"`)) })
	}},
	{"newrelic-user-key", "New Relic user key", "NRAK-", "<c>{27}", newRelicKeys, "", nil},
	{"newrelic-insert-key", "New Relic insert key", "NRII-", "<u>{32}", newRelicKeys, "", nil},
	{"sentry-org-token", "Sentry organisation token", "sntrys_eyJ", "[A-Za-z0-9+/=_]{80,400}", "https://docs.sentry.io/account/auth-tokens/", "base64 of a JSON object", nil},
	{"sentry-user-token", "Sentry user token", "sntryu_", "<h>{64}", "https://docs.sentry.io/account/auth-tokens/", "", nil},
	{"dynatrace-token", "Dynatrace API token", "dt0c01.|dt0s01.", "<c>{24}.<c>{64}", "https://docs.dynatrace.com/docs/dynatrace-api/basics/dynatrace-api-authentication", "", nil},
	{"age-secret-key", "age identity", "AGE-SECRET-KEY-1", "[02-9AC-HJ-NP-Z]{58}", "https://github.com/C2SP/C2SP/blob/main/age.md#x25519-identities", "Bech32 checksum", bech32},
	{"mapbox-secret-token", "Mapbox secret token", "sk.eyJ", "<u>{50,200}.<u>{22}", "https://docs.mapbox.com/api/accounts/tokens/", "base64url of a JSON object", nil},
}

var infraAssignments = []assignment{
	{"cloudflare-api-token", "Cloudflare API token", "cloudflare_api_token|cf_api_token", "<u>{40}", cloudflareKeys, "upper and lower case mixed", mixedCase},
	{"cloudflare-global-key", "Cloudflare global API key", "cloudflare_api_key|cf_api_key|x_auth_key", "<h>{37}", cloudflareKeys, "", nil},
	{"datadog-api-key", "Datadog API key", "datadog_api_key|dd_api_key", "<h>{32}", "https://docs.datadoghq.com/account_management/api-app-keys/", "", nil},
	{"datadog-app-key", "Datadog application key", "datadog_app_key|dd_app_key|datadog_application_key|dd_application_key", "<h>{40}", "https://docs.datadoghq.com/account_management/api-app-keys/", "", nil},
	{"vercel-token", "Vercel access token", "vercel_token|vercel_api_token", "<a>{24}", "https://vercel.com/docs/sign-in-with-vercel/tokens", "upper and lower case mixed", mixedCase},
	{"okta-api-token", "Okta API token", "okta_api_token|okta_client_apitoken|okta_client_token|okta_token|ssws", "00<u>{40}", "https://developer.okta.com/docs/guides/create-an-api-token/main/", "", mixedCase},
	{"wireguard-private-key", "WireGuard private key", "privatekey|private_key", "<s>{43}=", "https://www.wireguard.com/quickstart/", "32 bytes, clamped as Curve25519 wants them", wireguardKey},
	{"fastly-api-token", "Fastly API token", "fastly_api_token|fastly_api_key|fastly_key", "<u>{32}", "https://docs.fastly.com/en/guides/using-api-tokens", "upper and lower case mixed", mixedCase},
	{"algolia-admin-key", "Algolia admin key", "algolia_admin_key|algolia_api_key", "<h>{32}", "https://www.algolia.com/doc/guides/security/api-keys/", "", nil},
	{"azure-storage-account-key", "Azure storage or Cosmos DB account key by its name", "azure_storage_key|storage_account_key|storage_key|account_key|cosmos_key|cosmosdb_key|cosmos_db_key|primary_key", "<s>{86}==", "https://learn.microsoft.com/en-us/azure/storage/common/storage-account-keys-manage", "not an emulator's", notEmulators},
	{"newrelic-license", "New Relic license key, old form", "new_relic_license_key|newrelic_license_key|nr_license_key", "<l>{40}", newRelicKeys, "", hasDigit},
	{"auth0-client-secret", "Auth0 client secret", "auth0_client_secret", "<u>{64}", "https://auth0.com/docs/get-started/applications/application-settings", "upper and lower case mixed", mixedCase},
}

// wireguardExamples are the keys of systemd.netdev(5) and of WireGuard's quick start.
var wireguardExamples = []string{"EEGlnEPYJV//kbvvIqxKkQwOiS+UENyPncC4bF46ong=", "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="}

// wireguardKey reports whether v is base64 of a clamped Curve25519 scalar (RFC 7748 §5).
func wireguardKey(v []byte) bool {
	var key [33]byte
	n, err := base64.StdEncoding.Decode(key[:], v)
	return err == nil && n == 32 && key[0]&7 == 0 && key[31]&0xC0 == 0x40 && !slices.Contains(wireguardExamples, string(v))
}

// bech32 reports whether the checksum of m is right (BIP 173).
func bech32(m []byte) bool {
	const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	sep := bytes.LastIndexByte(m, '1')
	if sep < 1 {
		return false
	}
	sum := uint32(1)
	feed := func(v uint32) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ v
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for _, c := range m[:sep] {
		feed(uint32(fold(c)) >> 5)
	}
	feed(0)
	for _, c := range m[:sep] {
		feed(uint32(fold(c)) & 31)
	}
	for _, c := range m[sep+1:] {
		v := bytes.IndexByte([]byte(alphabet), fold(c))
		if v < 0 {
			return false
		}
		feed(uint32(v))
	}
	return sum == 1
}
