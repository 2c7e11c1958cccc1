package dlp

import "bytes"

const (
	shopifyTokens  = "https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens"
	squareTokens   = "https://developer.squareup.com/docs/build-basics/access-tokens"
	discordDocs    = "https://discord.com/developers/docs/reference#authentication"
	telegramTokens = "https://core.telegram.org/bots/api#authorizing-your-bot"
)

// serviceTokens are those of payment, mail, chat and office services.
var serviceTokens = []row{
	{"stripe-live-key", "Stripe secret or restricted key", "sk_live_|rk_live_", "<a>{24,247}", "https://docs.stripe.com/keys", "", nil},
	{"stripe-test-key", "Stripe test key", "sk_test_|rk_test_", "<a>{24,247}", "https://docs.stripe.com/keys", "not one of the documentation's", func(m []byte) bool {
		return !bytes.Contains(m, []byte("4eC39HqL")) && !bytes.Contains(m, []byte("BQokikJO"))
	}},
	{"stripe-webhook-secret", "Stripe webhook signing secret", "whsec_", "<s>{32,64}", "https://docs.stripe.com/webhooks", "", nil},
	{"sendgrid-api-key", "SendGrid API key", "SG.", "<u>{22}.<u>{43}", "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys", "", nil},
	{"twilio-api-key", "Twilio API key SID", "SK", "<h>{32}", "https://www.twilio.com/docs/iam/api-keys", "", nil},
	{"brevo-api-key", "Brevo API key", "xkeysib-|xsmtpsib-", "<h>{64}-<a>{16}", "https://developers.brevo.com/docs/getting-started", "", nil},
	{"resend-api-key", "Resend API key", "re_", "<a>{8}_<a>{24}", "https://resend.com/docs/dashboard/api-keys/introduction", "upper and lower case mixed", mixedCase},
	{"shopify-access-token", "Shopify access token", "shpat_", "<H>{32}", shopifyTokens, "", nil},
	{"shopify-custom-app-token", "Shopify custom app token", "shpca_", "<H>{32}", shopifyTokens, "", nil},
	{"shopify-private-app-token", "Shopify private app password", "shppa_", "<H>{32}", shopifyTokens, "", nil},
	{"shopify-shared-secret", "Shopify shared secret", "shpss_", "<H>{32}", shopifyTokens, "", nil},
	{"square-access-token", "Square access token", "sq0atp-", "<u>{22}", squareTokens, "", nil},
	{"square-oauth-secret", "Square OAuth secret", "sq0csp-", "<u>{43}", squareTokens, "", nil},
	{"braintree-access-token", "Braintree access token", "access_token$production$|access_token$sandbox$", "<l>{16}$<h>{32}", "https://developer.paypal.com/braintree/docs/guides/extend/oauth/access-tokens", "", nil},
	{"flutterwave-secret-key", "Flutterwave secret key", "FLWSECK_TEST-|FLWSECK-", "<a>{32}-X", "https://developer.flutterwave.com/docs/authentication", "", nil},
	{"easypost-api-key", "EasyPost API key", "EZAK|EZTK", "<a>{54}", "https://docs.easypost.com/docs/authentication", "", nil},
	{"shippo-token", "Shippo API token", "shippo_live_|shippo_test_", "<h>{40}", "https://docs.goshippo.com/docs/guides_general/authentication/", "", nil},
	{"duffel-token", "Duffel access token", "duffel_live_|duffel_test_", "[A-Za-z0-9_=-]{43}", "https://duffel.com/docs/api/overview/making-requests/authentication", "", nil},
	{"linear-api-key", "Linear API key", "lin_api_", "<a>{40}", "https://linear.app/developers/graphql", "", nil},
	{"linear-oauth-token", "Linear OAuth token", "lin_oauth_", "<h>{64}", "https://linear.app/developers/oauth-2-0-authentication", "", nil},
	{"notion-token", "Notion integration token", "ntn_", "<d>{11}<a>{35}", "https://developers.notion.com/reference/authentication", "", nil},
	{"notion-legacy-token", "Notion integration token, old form", "secret_", "<a>{43}", "https://developers.notion.com/reference/authentication", "upper and lower case mixed", mixedCase},
	{"airtable-token", "Airtable personal access token", "pat", "<a>{14}.<h>{64}", "https://airtable.com/developers/web/guides/personal-access-tokens", "", nil},
	{"figma-token", "Figma personal access token", "figd_|figo_|figu_", "<u>{40}", "https://www.figma.com/developers/api#access-tokens", "", nil},
	{"typeform-token", "Typeform personal access token", "tfp_", "[A-Za-z0-9_.=-]{59}", "https://www.typeform.com/developers/get-started/personal-access-token/", "", nil},
	{"contentful-token", "Contentful personal access token", "CFPAT-", "<u>{43}", "https://www.contentful.com/developers/docs/references/authentication/", "", nil},
	{"hubspot-token", "HubSpot private app token", "pat-na1-|pat-na2-|pat-eu1-", "<h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}", "https://developers.hubspot.com/docs/guides/apps/private-apps/overview", "", nil},
	{"frameio-token", "Frame.io developer token", "fio-u-", "[A-Za-z0-9_=-]{64}", "https://developer.frame.io/docs/getting-started/authentication", "", nil},
	{"adobe-client-secret", "Adobe client secret", "p8e-", "<u>{32}", "https://developer.adobe.com/developer-console/docs/guides/authentication/", "", nil},
	{"intra42-client-secret", "42 intra client secret", "s-s4t2ud-|s-s4t2af-", "<h>{64}", "https://api.intra.42.fr/apidoc/guides/getting_started", "", nil},
	{"slack-configuration-token", "Slack app configuration token", "xoxe.xoxp-|xoxe.xoxb-", "1-<u>{140,200}", slackTokens, "", nil},
	{"discord-webhook", "Discord webhook URL", "discord.com/api/webhooks/|discordapp.com/api/webhooks/", "<d>{17,20}/<u>{60,80}", "https://discord.com/developers/docs/resources/webhook", "a snowflake and a token", nil},
	{"teams-webhook", "Microsoft Teams webhook URL", "webhook.office.com/webhookb2/", "<h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}@<h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}/IncomingWebhook/<h>{32}/<h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}", "https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook", "", nil},
	{"telegram-token", "Telegram bot token", "<d>{8,10}:AA", "<u>{33}", telegramTokens, "", mixedCase},
	{"mailchimp-key", "Mailchimp API key", "<h>{32}-us", "[1-9]<d>{0,1}", "https://mailchimp.com/developer/marketing/guides/quick-start/", "", nil},
	{"telegram-bot-url", "Telegram Bot API URL", "api.telegram.org/bot", "<d>{8,10}:<u>{35}", telegramTokens, "", nil},
}

var serviceAssignments = []assignment{
	{"telegram-bot-token", "Telegram bot token", "telegram_bot_token|telegram_token|bot_token|tg_token", "<d>{8,10}:<u>{35}", telegramTokens, "", nil},
	{"discord-bot-token", "Discord bot token", "discord_bot_token|discord_token|bot_token|authorization_bot|authorization: bot", "[MNO]<u>{22,25}.<u>{6}.<u>{27,38}", discordDocs, "the first part is base64 of a number", discordToken},
	{"twilio-auth-token", "Twilio auth token", "twilio_auth_token|twilio_token", "<h>{32}", "https://www.twilio.com/docs/iam/api/authtoken", "", nil},
	{"mailgun-api-key", "Mailgun API key", "mailgun_api_key|mailgun_key|mg_api_key", "key-<h>{32}", "https://documentation.mailgun.com/docs/mailgun/api-reference/authentication", "", nil},
	{"mailgun-signing-key", "Mailgun key, new form", "mailgun_api_key|mailgun_key|mailgun_signing_key", "<h>{32}-<h>{8}-<h>{8}", "https://documentation.mailgun.com/docs/mailgun/api-reference/authentication", "", nil},
	{"plaid-secret", "Plaid secret", "plaid_secret", "<h>{30}", "https://plaid.com/docs/quickstart/glossary/", "", nil},
	{"facebook-app-secret", "Facebook app secret", "facebook_app_secret|fb_app_secret|facebook_client_secret", "<h>{32}", "https://developers.facebook.com/docs/facebook-login/security", "", nil},
	{"twitter-api-secret", "X API secret", "twitter_api_secret|twitter_consumer_secret", "<a>{50}", "https://docs.x.com/resources/fundamentals/authentication/overview", "upper and lower case mixed", mixedCase},
	{"spotify-client-secret", "Spotify client secret", "spotify_client_secret", "<h>{32}", "https://developer.spotify.com/documentation/web-api/concepts/apps", "", nil},
	{"asana-token", "Asana personal access token", "asana_access_token|asana_token|asana_pat|asana_api_key|asana_key", "<d>{1,2}/<d>{12,18}/<d>{12,18}:<a>{32}|<d>{1,2}/<d>{12,18}[/:]<a>{32}", "https://developers.asana.com/docs/personal-access-token", "", nil},
}

// mailgun is for a key that no name gives away. Names of caches end in key- and a digest as well, which is why nothing of a name may stand before.
func mailgun() []Rule {
	return []Rule{{
		Name:    "mailgun-private-key",
		Matches: "key- and 32 hex digits",
		Source:  "https://documentation.mailgun.com/docs/mailgun/api-reference/authentication",
		Check:   "exact form, a word of its own, at least 8 different characters",
		patterns: []pattern{{
			keywords: []string{"key-"},
			before:   nameChar,
			steps:    run(lowerHex, 32, 32),
			after:    set("A-Za-z0-9_-"),
			check:    all(func(m []byte) bool { return varied(m[len("key-"):], 8) && !placeholder(m) }),
			joins:    joinRandom,
		}},
	}}
}

// discordToken reports whether the first part of a bot's token is base64 of its user id, a number.
func discordToken(v []byte) bool {
	id, _, _ := bytes.Cut(v, []byte("."))
	return base64Of(id, func(b []byte) bool {
		for _, c := range b {
			if !digit[c] {
				return false
			}
		}
		return len(b) >= 17
	})
}
