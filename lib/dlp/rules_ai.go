package dlp

import (
	"bytes"
	"encoding/base64"
)

// gitleaksRules is where formats are collected whose makers publish none.
const gitleaksRules = "https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"

// modelTokens are the keys of model providers and of what agents use beside them.
var modelTokens = []row{
	{"openai-session-key", "OpenAI session key", "sess-", "<a>{40}", gitleaksRules, "", nil},
	{"openrouter-api-key", "OpenRouter API key", "sk-or-v1-", "<h>{64}", "https://openrouter.ai/docs/api-reference/authentication", "", nil},
	{"huggingface-token", "Hugging Face user token", "hf_", "<w>{34}", "https://huggingface.co/docs/hub/security-tokens", "upper and lower case mixed", mixedCase},
	{"huggingface-org-token", "Hugging Face organisation token", "api_org_", "<w>{34}", "https://huggingface.co/docs/hub/security-tokens", "upper and lower case mixed", mixedCase},
	{"replicate-api-token", "Replicate API token", "r8_", "<a>{37}", "https://replicate.com/docs/topics/security/api-tokens", "", mixedCase},
	{"groq-api-key", "Groq API key", "gsk_", "<a>{52}", "https://console.groq.com/docs/quickstart", "", nil},
	{"perplexity-api-key", "Perplexity API key", "pplx-", "<a>{48}", "https://docs.perplexity.ai/guides/getting-started", "", nil},
	{"xai-api-key", "xAI API key", "xai-", "<a>{80}", "https://docs.x.ai/docs/overview", "", nil},
	{"fireworks-api-key", "Fireworks API key", "fw_", "<a>{24}", "https://docs.fireworks.ai/api-reference/introduction", "upper and lower case mixed", mixedCase},
	{"langsmith-api-key", "LangSmith API key", "lsv2_pt_|lsv2_sk_", "<h>{32}_<h>{10}", "https://docs.langchain.com/langsmith/create-account-api-key", "", nil},
	{"langfuse-secret-key", "Langfuse secret key", "sk-lf-", "<h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}", "https://langfuse.com/docs/api-and-data-platform/features/public-api", "", nil},
	{"nvidia-api-key", "NVIDIA API key", "nvapi-", "<u>{64}", "https://docs.nvidia.com/nim/large-language-models/latest/getting-started.html", "", nil},
	{"elevenlabs-api-key", "ElevenLabs API key", "sk_", "<h>{48}", "https://elevenlabs.io/docs/api-reference/authentication", "", nil},
	{"tavily-api-key", "Tavily API key", "tvly-dev-|tvly-prod-|tvly-", "<a>{32}", "https://docs.tavily.com/documentation/api-reference/introduction", "", nil},
	{"firecrawl-api-key", "Firecrawl API key", "fc-", "<h>{32}", "https://docs.firecrawl.dev/api-reference/introduction", "", nil},
	{"pinecone-api-key", "Pinecone API key", "pcsk_", "<a>{5,6}_<a>{63}", "https://docs.pinecone.io/guides/projects/manage-api-keys", "", nil},
	{"cerebras-api-key", "Cerebras API key", "csk-", "<l>{48}", "https://inference-docs.cerebras.ai/quickstart", "", nil},
	{"anyscale-api-key", "Anyscale API key", "esecret_", "<l>{26}", gitleaksRules, "", nil},
	{"together-api-key", "Together AI API key", "tgp_v1_", "<u>{43}", "https://docs.together.ai/docs/quickstart", "", nil},
	{"posthog-personal-key", "PostHog personal API key", "phx_", "<a>{43,48}", "https://posthog.com/docs/api", "", nil},
	{"wandb-prefixed-key", "Weights & Biases API key, new form", "wandb_v1_", "<a>{27}_<a>{49}", "https://docs.wandb.ai/support/models/articles/why-does-my-api-key-fail-with-must-be-40-characters", "", nil},
	{"aws-bedrock-api-key", "Amazon Bedrock long-term API key", "ABSKQmVkcm9ja0FQSUtle", "[A-Za-z0-9+/=]{60,300}", "https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html", "", nil},
	{"aws-bedrock-session-key", "Amazon Bedrock short-term API key", "bedrock-api-key-", "YmVkcm9jay5hbWF6b25hd3MuY29t[A-Za-z0-9+/=]{80,4000}", "https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html", "", nil},
}

// modelAssignments are the model providers whose keys have no prefix of their own.
var modelAssignments = []assignment{
	{"cohere-api-key", "Cohere API key", "cohere_api_key|co_api_key", "<a>{40}", "https://docs.cohere.com/reference/about", "", mixedCase},
	{"mistral-api-key", "Mistral API key", "mistral_api_key", "<a>{32}", "https://docs.mistral.ai/getting-started/quickstart", "", mixedCase},
	{"deepseek-api-key", "DeepSeek API key", "deepseek_api_key", "sk-<h>{32}", "https://api-docs.deepseek.com", "", nil},
	{"azure-openai-key", "Azure OpenAI key", "azure_openai_api_key|azure_openai_key", "<a>{32,84}", "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference", "a digit", hasDigit},
	{"wandb-api-key", "Weights & Biases API key", "wandb_api_key", "<h>{40}", "https://docs.wandb.ai/guides/track/environment-variables", "", nil},
	{"assemblyai-api-key", "AssemblyAI API key", "assemblyai_api_key", "<h>{32}", "https://www.assemblyai.com/docs", "", nil},
	{"voyage-api-key", "Voyage AI API key", "voyage_api_key", "pa-<u>{43}", "https://docs.voyageai.com/docs/api-key-and-installation", "", nil},
}

// mixedCase reports whether upper and lower case alternate as in random text; a name in camel case changes less often, and has few
// digits.
func mixedCase(b []byte) bool {
	letters, digits, changes, last := 0, 0, 0, 0
	for _, c := range b {
		kind := 0
		switch {
		case lower[c]:
			kind = 1
		case c >= 'A' && c <= 'Z':
			kind = 2
		case digit[c]:
			digits++
			continue
		default:
			continue
		}
		letters++
		if last != 0 && kind != last {
			changes++
		}
		last = kind
	}
	return changes*5 >= letters || digits > 2 && changes*10 >= letters
}

func hasDigit(b []byte) bool { return hasAll(b, digit) }

// base64Of reports whether the part of match behind the last of the bytes in after is base64 (padded or not, either
// alphabet) of something that ok accepts.
func base64Of(text []byte, ok func([]byte) bool) bool {
	text = bytes.TrimRight(text, "=")
	enc := base64.RawStdEncoding
	if bytes.ContainsAny(text, "-_") {
		enc = base64.RawURLEncoding
	}
	if len(text)%4 == 1 {
		return false
	}
	out := make([]byte, enc.DecodedLen(len(text)))
	n, err := enc.Decode(out, text)
	return err == nil && ok(out[:n])
}
