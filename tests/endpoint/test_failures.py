import pytest

from flex.endpoint.causes import (
    FILTERED,
    NO_ACCOUNT,
    NO_KEY,
    NO_MODEL,
    NO_MONEY,
    NO_SERVICE,
    TOO_LONG,
    USED_UP,
)
from flex.endpoint.failures import parse_failure

GOOGLES = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "head to: https://ai.google.dev/gemini-api/docs/rate-limits. * Quota exceeded for metric: "
    "generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: {limit}\nPlease retry in 31.2s."
)


def openai(message: str, code: str | None = None, **more) -> dict:
    return {"error": {"message": message, "code": code, **more}}


def googles(limit: int, per: str) -> list:
    quota = {"quotaId": f"GenerateRequestsPer{per}PerProjectPerModel-FreeTier", "quotaValue": str(limit)}
    details = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [quota]}]
    return [{"error": {"code": 429, "message": GOOGLES.format(limit=limit), "details": details}}]


DIALECTS = {
    "OpenAI, no money": (429, openai("You exceeded your current quota", "insufficient_quota"), NO_MONEY),
    "OpenAI through a relay that drops the code": (
        429,
        openai("You exceeded your current quota, please check your plan and billing details."),
        NO_MONEY,
    ),
    "OpenAI, hard limit": (400, openai("Billing hard limit has been reached", "billing_hard_limit_reached"), NO_MONEY),
    "OpenAI, not active": (
        429,
        openai("Your account is not active, please check your billing details on our website."),
        NO_MONEY,
    ),
    "OpenAI, closed": (
        401,
        openai("The OpenAI account associated with this API key has been deactivated.", "account_deactivated"),
        NO_ACCOUNT,
    ),
    "DeepSeek": (402, openai("Insufficient Balance"), NO_MONEY),
    "OpenRouter": (402, openai("This request requires more credits, or fewer max_tokens.", 402), NO_MONEY),
    "Anthropic": (400, openai("Your credit balance is too low to access the Anthropic API."), NO_MONEY),
    "Moonshot": (429, openai("You exceeded your current token quota", type="exceeded_current_quota_error"), NO_MONEY),
    "Zhipu": (429, openai("Insufficient balance or no resource package. Please recharge.", "1113"), NO_MONEY),
    "Zhipu in Chinese": (429, openai("您的账户已欠费，请充值后重试", "1113"), NO_MONEY),
    "DashScope": (
        400,
        openai("Access denied, please make sure your account is in good standing.", "Arrearage"),
        NO_MONEY,
    ),
    "DashScope, free tier": (403, openai("The free tier of the model has been exhausted."), NO_MONEY),
    "Volcengine": (403, openai("The request failed because your account has an overdue balance."), NO_MONEY),
    "xAI, new": (
        403,
        {"code": "The caller does not have permission", "error": "Your team doesn't have any credits yet."},
        NO_MONEY,
    ),
    "xAI, spent": (
        429,
        {"code": "exhausted", "error": "Your team has either used all available credits or reached its limit."},
        NO_MONEY,
    ),
    "Together": (402, openai("Credit limit exceeded, please navigate to billing"), NO_MONEY),
    "Together, 429": (429, openai("Credit limit exceeded, please add credit"), NO_MONEY),
    "Fireworks": (
        412,
        openai("Account x is suspended, possibly due to reaching the monthly spending limit"),
        NO_ACCOUNT,
    ),
    "SiliconFlow": (403, {"code": 30001, "message": "Sorry, your account balance is insufficient"}, NO_MONEY),
    "Novita": (403, {"code": 403, "reason": "NOT_ENOUGH_BALANCE", "message": "not enough balance"}, NO_MONEY),
    "Mistral": (429, openai("You have reached your monthly usage limit"), NO_MONEY),
    "New API": (200, openai("用户额度不足, 剩余额度: $0.00", "insufficient_user_quota"), NO_MONEY),
    "One API": (403, openai("user quota is not enough"), NO_MONEY),
    "Bedrock, no card": (403, {"message": "INVALID_PAYMENT_INSTRUMENT: A valid one must be provided."}, NO_MONEY),
    "Hugging Face": (402, {"error": "You have exceeded your monthly included credits"}, NO_MONEY),
    "LiteLLM": (400, openai("Budget has been exceeded! Current cost: 5, Max budget: 5"), NO_MONEY),
    "Vertex": (403, openai("This API method requires billing to be enabled on project #1."), NO_MONEY),
    "Azure": (403, openai("The subscription has been disabled"), NO_ACCOUNT),
    "Google, closed": (403, openai("Permission denied: Consumer 'api_key:x' has been suspended."), NO_ACCOUNT),
    "Groq, closed": (400, openai("Organization has been restricted.", "organization_restricted"), NO_ACCOUNT),
    "Gemini, a day": (429, googles(250, "Day"), USED_UP),
    "Gemini, not in the free tier": (429, googles(0, "Minute"), USED_UP),
    "Gemini, a minute": (429, googles(10, "Minute"), None),
    "Gemini, in its own words": (429, openai("Resource has been exhausted (e.g. check quota)."), None),
    "OpenRouter's free models": (429, openai("Rate limit exceeded: free-models-per-day. Add 10 credits"), USED_UP),
    "Groq, a day": (
        429,
        openai("Rate limit reached on tokens per day (TPD): Limit 100000. Try again in 7m12s"),
        USED_UP,
    ),
    "Groq, a minute": (429, openai("Rate limit reached on tokens per minute (TPM): Limit 6000. Try again in 7s"), None),
    "GitHub": (429, openai("Rate limit of 50 per 86400s exceeded for UserByModelByDay. Please wait 42911 s"), USED_UP),
    "Cerebras": (429, openai("Tokens per day limit exceeded", "token_quota_exceeded"), USED_UP),
    "Bedrock": (429, openai("Too many tokens per day, please wait before trying again."), USED_UP),
    "Cohere": (429, {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}, USED_UP),
    "Azure, a minute": (
        429,
        openai("have exceeded token rate limit of your OpenAI S0 tier. Retry after 7 seconds."),
        None,
    ),
    "DashScope, a minute": (429, openai("Allocated quota exceeded, please increase your quota limit."), None),
    "OpenAI, a minute": (
        429,
        openai("Rate limit reached for gpt-5 on tokens per min (TPM)", "rate_limit_exceeded"),
        None,
    ),
    "overloaded": (529, openai("Overloaded"), None),
    "busy": (503, openai("The model is overloaded. Please try again later."), None),
    "no key": (401, openai("Incorrect API key provided", "invalid_api_key"), NO_KEY),
    "Gemini's key": (400, [openai("API key not valid. Please pass a valid API key.")], NO_KEY),
    "a proxy's password": (407, "Proxy Authentication Required", NO_KEY),
    "OpenAI, country": (403, openai("Country, region, or territory not supported"), NO_SERVICE),
    "Gemini, country": (400, [openai("User location is not supported for the API use.")], NO_SERVICE),
    "no model": (404, openai("The model `m` does not exist", "model_not_found"), NO_MODEL),
    "no access": (403, openai("Project `p` does not have access to model `m`"), NO_MODEL),
    "Groq, old model": (400, openai("The model `m` has been decommissioned", "model_decommissioned"), NO_MODEL),
    "LM Studio": (400, {"error": "No models loaded. Please load a model in the developer page"}, NO_MODEL),
    "LM Studio, later": (400, {"error": "Model unloaded."}, NO_MODEL),
    "gone": (410, "Gone", NO_MODEL),
    "OpenAI, long": (
        400,
        openai("This model's maximum context length is 10 tokens", "context_length_exceeded"),
        TOO_LONG,
    ),
    "Anthropic, long": (400, openai("prompt is too long: 212345 tokens > 200000 maximum"), TOO_LONG),
    "Gemini, long": (
        400,
        [openai("The input token count (9) exceeds the maximum number of tokens allowed (8).")],
        TOO_LONG,
    ),
    "DashScope, long": (400, openai("Range of input length should be [1, 30720]"), TOO_LONG),
    "TGI": (422, {"error": "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000"}, TOO_LONG),
    "llama.cpp": (400, openai("the request exceeds the available context size"), TOO_LONG),
    "Groq, large": (413, openai("Request too large for model `m` on tokens per minute (TPM)"), TOO_LONG),
    "OpenAI, large": (
        429,
        openai("Request too large for gpt-5 on tokens per min (TPM): Limit 1, Requested 2"),
        TOO_LONG,
    ),
    "a proxy, large": (413, "<html><title>413 Request Entity Too Large</title></html>", TOO_LONG),
    "Azure's filter": (400, openai("The response was filtered", "content_filter"), FILTERED),
    "OpenRouter's filter": (403, openai("Your input was flagged: the model requires moderation"), FILTERED),
    "DashScope's filter": (
        400,
        openai("Input data may contain inappropriate content.", "DataInspectionFailed"),
        FILTERED,
    ),
    "DeepSeek's filter": (400, openai("Content Exists Risk"), FILTERED),
    "OpenAI's filter": (400, openai("Invalid prompt: flagged as potentially violating our usage policy."), FILTERED),
    "Zhipu's filter": (400, openai("输入或生成内容可能包含不安全或敏感内容", "1301"), FILTERED),
    "xAI's filter": (
        403,
        {"error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"},
        FILTERED,
    ),
    "a guardrail": (400, openai("The request was blocked", type="guardrail_violation"), FILTERED),
    "nothing said": (400, openai("Bad Request"), None),
    "a page": (403, "<html>Attention Required! | Cloudflare</html>", None),
    "a broken server": (500, openai("Internal Server Error"), None),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_what_a_failure_is_about_is_told_in_every_dialect(name):
    status, body, cause = DIALECTS[name]
    failure = parse_failure(status, body, {})
    assert failure.cause is cause
    assert failure.retryable is (cause is None and status not in (400, 403))


def test_trouble_that_passes_is_told_also_by_its_words():
    assert parse_failure(400, openai("ThrottlingException: Rate exceeded"), {}).retryable
    assert parse_failure(403, {"message": "Rate Limit Exceeded"}, {}).retryable


def test_a_limit_of_a_day_that_is_over_soon_is_waited_for():
    said = openai("Rate limit reached on tokens per day (TPD)")
    assert parse_failure(429, said, {"retry-after": "40"}).cause is None
    assert parse_failure(429, said, {"retry-after": "4000"}).cause is USED_UP
    assert parse_failure(429, openai("", "insufficient_quota"), {"retry-after": "40"}).cause is NO_MONEY
