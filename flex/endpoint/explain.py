"""Why a call failed for good, in a line for the person running this."""

from flex.endpoint.dialects import NOT_JSON, WRONG_PROTOCOL, Failure
from flex.errors import EndpointError, FlexError, SettingsError


def explain(
    failure: Failure, reason: str, url: str, model: str, *, has_key: bool, known: bool, tries: str
) -> FlexError:
    """SettingsError for what that person can mend, else EndpointError.

    `reason` is the failure in words that hold no key, `model` such as "model 'm'"; `known` says that it has answered
    before, `tries` how often it was asked again.
    """
    if failure.no_such_key or (failure.status == 403 and not known):
        hint = "check API_KEY" if has_key else "no API key is set: export API_KEY=..."
        return SettingsError(f"{url} refused the API key ({reason}); {hint}")
    if failure.no_such_model and not known:
        hint = "check the model's name, and that BASE_URL is right (most end in /v1)"
        return SettingsError(f"no {model} at {url} ({reason}); {hint}")
    if failure.code == WRONG_PROTOCOL and not known:
        return SettingsError(f"{url} {reason}; check BASE_URL")
    if failure.code == NOT_JSON and not known:
        hint = "does not look like an OpenAI-compatible endpoint; does BASE_URL end in /v1?"
        return SettingsError(f"{url} {hint} ({reason})")
    return EndpointError(f"{url}, {model}: {reason}{tries}")
