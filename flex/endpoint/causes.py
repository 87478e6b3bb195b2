"""What an endpoint's refusal is about, in the words of as many providers as we know.

    run-wide     the account, the key, the address or the model as such: no task is to blame, and none can be answered
    the task's   its prompt is too long, or a filter refuses it: the others can be answered

What none of the causes fits is the endpoint's trouble of the moment, or a refusal that its repeats tell apart.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """What a failure is about: told by its status alone (`always`), or by a status and what is said with it."""

    words: str
    """What it is counted under."""
    run_wide: bool
    always: Collection[int]
    statuses: Collection[int]
    said: str
    """A pattern; case does not count."""
    hint: str = ""
    """How a person can mend it."""

    def fits(self, status: int, said: str) -> bool:
        told = status in self.statuses and re.search(self.said, said, re.IGNORECASE | re.DOTALL)
        return bool(told) or status in self.always


def _any(*patterns: str) -> str:
    return "|".join(patterns)


_REFUSALS = (400, 403, 422)
_LIMIT = r"(spend(ing)?|billing|credits?|usage|hourly|weekly|monthly)[ _]((spend(ing)?|usage)[ _])?limit"
_NOT_GOOGLES = r"(?!.{0,500}(google|metric:|retry in))"  # whose limits of a minute speak of quota and billing, too

FILTERED = Cause(
    "content filter",
    False,
    (451,),
    (200, *_REFUSALS),
    _any(
        r"content[ _-]?(filter|policy|management|moderation|check)|responsible ?ai|data_?inspection|prohibited_content",
        r"\bmoderation|\bflagged\b|guardrail|invalid_prompt|safety[ _](system|filter|reason|setting|polic|check)",
        r"(usage|content|safety) (polic(y|ies)|guidelines?)|敏感|违规|不安全",
        r"(inappropriate|sensitive|unsafe|harmful|risky) (content|words|information)|content exists risk|high risk",
    ),
)
NO_MONEY = Cause(
    "the account cannot pay",
    True,
    (402,),
    (200, 400, 401, 403, 412, 429),
    _any(
        r"insufficient[ _](user[ _])?(quota|balance|funds|credit)|exceeded_current_quota",
        r"(quota|额度)\b.{0,20}\b(not enough|insufficient|used up|run out)|(额度|配额)(已用尽|不足)",
        rf"exceeded your current (token )?quota{_NOT_GOOGLES}",
        r"balance\b.{0,30}\b(insufficient|too low|negative|exhausted|not enough)",
        r"not[ _]enough[ _](balance|credit|funds)",
        r"\b(no|out of|any|more) credits?\b|credits?\b.{0,30}\b(too low|insufficient|depleted|expired|used up|run out)",
        r"(used|consumed|spent|exhausted|exceeded)\b.{0,40}\bcredits?\b",
        rf"billing_(hard_limit|not_active|disabled)|billing (hard|details|to be enabled|is disabled){_NOT_GOOGLES}",
        rf"(reached|exceeded|hit)\b.{{0,50}}\b{_LIMIT}|{_LIMIT}\b.{{0,30}}\b(reached|exceeded|hit)",
        r"budget\b.{0,20}\bexceeded|exceeded.{0,10}budget",
        r"free (tier|quota|allocated quota)\b.{0,60}\b(exhausted|exceeded)",
        r"arrears|arrearage|overdue|please recharge|top[ -]?up your|余额不足|欠费",
        r"payment[ _](required|method|instrument)",
    ),
    "pay, or use another account",
)
NO_ACCOUNT = Cause(
    "the account is closed",
    True,
    (),
    (400, 401, 403, 412, 429),
    _any(
        r"(account|organi[sz]ation|subscription|project|consumer|team|user)\b.{0,80}\b(deactivated|suspended|disabled"
        r"|terminated|banned|blocked|not active|inactive|been restricted|denied access|good standing)",
        r"account_deactivated|access_terminated",
    ),
    "ask the provider",
)
USED_UP = Cause(
    "the limit of a day is reached",
    True,
    (),
    (403, 429),
    _any(
        r"per[ _-]?day|by ?day\b|\bdaily\b|\((RPD|TPD)\)|per month|/ ?month",
        r"token_quota_exceeded|\blimit:? 0\b(?!\.)|(retry|wait|again)\b.{0,20}\b\d{5,} ?s",
    ),
    "wait until it is over, or use another account",
)
TOO_LONG = Cause(
    "context length exceeded",
    False,
    (413,),
    (400, 422, 429, 500),
    _any(
        r"context[ _-]?(length|window|size)|max_model_len|string_above_max|range of input length|request too large",
        r"max(imum)? (input|prompt)|(maximum|max) number of (input )?tokens|reduce the length",
        r"(prompt|inputs?|messages?|request)\b.{0,40}\btoo (long|large|many)",
        r"(inputs?|prompt)\b.{0,60}\b(exceeds?|longer than|less than)\b.{0,60}\b(token|length|limit)",
    ),
)
NO_KEY = Cause(
    "the API key is refused",
    True,
    (401, 407),
    _REFUSALS,
    _any(
        r"api[ _-]?key.{0,20}(not valid|invalid|incorrect|expired|missing)|(invalid|incorrect|missing) api[ _-]?key",
        "no_db_connection",  # how a gateway without its database of keys refuses all but its own
    ),
)
NO_SERVICE = Cause(
    "the endpoint serves nobody from here",
    True,
    (),
    _REFUSALS,
    r"unsupported_country|(country|region|territory|location)\b.{0,60}\bnot (supported|available|allowed)",
    "try another provider",
)
NO_MODEL = Cause(
    "there is no such model",
    True,
    (404, 405, 410),
    _REFUSALS,
    _any(
        r"\bmodels?\b.{0,120}?(not exist|not found|not available|is unknown|not a valid|is not valid|is not supported)",
        r"\bmodels?\b.{0,120}?(decommissioned|deprecated|retired|discontinued|no longer|unloaded|crashed)",
        r"model access denied",
        r"(unknown|invalid|no such|unable to access|not a valid|could not find|access to) (the )?model|model_not_found",
        r"model not exist|no models? (is |are )?loaded|no endpoints found|no allowed providers",
    ),
    "check the model's name, and that BASE_URL is right (most end in /v1)",
)
NO_ENDPOINT = Cause("no OpenAI-compatible endpoint", True, (), (), "", "does BASE_URL end in /v1?")
"""Told by what is no answer at all, from who has never given one."""
CAUSES = (FILTERED, USED_UP, NO_MONEY, NO_ACCOUNT, TOO_LONG, NO_KEY, NO_SERVICE, NO_MODEL)
"""The first that fits counts."""


def cause_of(status: int, said: str) -> Cause | None:
    """What an answer with this status is about that says this; None where it does not say."""
    return next((cause for cause in CAUSES if cause.fits(status, said)), None)
