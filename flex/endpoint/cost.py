"""What a run costs in money, where a price is known, and the budget that stops it.

A file of prices, in US dollars per million tokens (`cached_input` is `input` where it is missing):

    {"my-model": {"input": 1.25, "cached_input": 0.125, "output": 10.0}}

Other models are looked up in the snapshot of the package genai-prices (extra `prices`), which is never updated from the
network. What has no price costs an unknown amount: None, shown as "unknown", never 0.
"""

import importlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flex.endpoint.usage import summed
from flex.errors import SettingsError
from flex.types import Usage

_KEYS = ("input", "cached_input", "output")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens; reasoning tokens are completion tokens and cost as much."""

    input: float
    output: float
    cached_input: float

    def of(self, usage: Usage) -> float:
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        fresh = usage.prompt_tokens - cached
        return (fresh * self.input + cached * self.cached_input + usage.completion_tokens * self.output) / 1e6


@dataclass(frozen=True, slots=True)
class Prices:
    """What models cost: the user's own prices first, then those of genai-prices, if installed, for `base_url`."""

    own: Mapping[str, Price] = field(default_factory=dict)
    base_url: str | None = None

    @classmethod
    def load(cls, path: str | Path | None = None, base_url: str | None = None) -> "Prices":
        """The prices of a file, or none of one's own. Raises SettingsError for a file that holds no prices."""
        return cls(_read(Path(path)) if path is not None else {}, base_url)

    def money(self, usage: Usage, model: str) -> float | None:
        """US dollars for these calls of a model; None when its price or its tokens are unknown.

        A list price that depends on the length of a call is taken at the mean length of these calls.
        """
        if usage == Usage():
            return 0.0
        if not usage.tokens:
            return None  # the endpoint does not say what it counted
        if model in self.own:
            return self.own[model].of(usage)
        return _list_price(usage, model, self.base_url)

    def total(self, usage_by_model: Mapping[str, Usage]) -> float | None:
        """US dollars for all of them together; None when one is unknown."""
        amounts = [self.money(usage, model) for model, usage in usage_by_model.items()]
        known = [amount for amount in amounts if amount is not None]
        return math.fsum(known) if len(known) == len(amounts) else None


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may spend. Ask `spent` before every new task; what is in flight then may still exceed it a little."""

    max_tokens_total: int | None = None
    """Prompt and completion tokens of all models together."""
    max_usd: float | None = None
    prices: Prices = field(default_factory=Prices)

    def check(self, models: Iterable[str]) -> None:
        """Raises SettingsError when there is a limit of money and a model without a price."""
        for model in models if self.max_usd is not None else ():
            if self.prices.money(Usage(1, 0, 1, 0, 1), model) is None:
                raise SettingsError(f"--max_usd: no price is known for model {model}; give --prices FILE")

    def spent(self, usage_by_model: Mapping[str, Usage]) -> str | None:
        """Why nothing new may be begun; None while there is room."""
        tokens = sum(usage.tokens for usage in usage_by_model.values())
        if self.max_tokens_total is not None and tokens >= self.max_tokens_total:
            return f"{tokens:,} tokens are spent, --max_tokens_total is {self.max_tokens_total:,}"
        if self.max_usd is None:
            return None
        amounts = (self.prices.money(usage, model) for model, usage in usage_by_model.items())
        amount = math.fsum(amount for amount in amounts if amount is not None)
        if amount >= self.max_usd:
            return f"{dollars(amount)} are spent, --max_usd is {dollars(self.max_usd)}"
        return None


def by_model(usage_by_role: Mapping[str, Usage], models: Mapping[str, str]) -> dict[str, Usage]:
    """Usage by the name of the model that a role has; of a role without one the price is not known either."""
    return summed((models.get(role, role), usage) for role, usage in usage_by_role.items())


def dollars(amount: float | None) -> str:
    """ "$1.23", "$1,234.50", "$0.0042"; "unknown" for None."""
    if amount is None:
        return "unknown"
    if amount >= 0.1 or amount == 0:
        return f"${amount:,.2f}"
    digits = 1 - math.floor(math.log10(amount))
    return f"${amount:.{digits}f}" if digits <= 7 else "less than $0.000001"


def _read(path: Path) -> dict[str, Price]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"cannot read the prices {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"the prices {path} are not valid JSON: {error}") from error
    if not isinstance(data, dict):
        raise SettingsError(f'the prices {path} have to be an object: {{"model": {{"input": ..., "output": ...}}}}')
    return {model: _price(entry, f"the price of '{model}' in {path}") for model, entry in data.items()}


def _price(entry: Any, what: str) -> Price:
    if not isinstance(entry, dict) or not {"input", "output"} <= entry.keys() <= set(_KEYS):
        raise SettingsError(f"{what} has to be an object of input, output and perhaps cached_input")
    for key, value in entry.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise SettingsError(f"{what}: {key} has to be US dollars per million tokens, not {value!r}")
    return Price(**{"cached_input": entry["input"], **entry})


def _list_price(usage: Usage, model: str, base_url: str | None) -> float | None:
    """The price by genai-prices: of who serves `base_url`, else of who is known for the model's name."""
    try:
        prices: Any = importlib.import_module("genai_prices")
    except ImportError:
        return None
    calls = max(usage.calls, 1)
    call = prices.Usage(
        input_tokens=usage.prompt_tokens / calls,
        cache_read_tokens=min(usage.cached_tokens, usage.prompt_tokens) / calls,
        output_tokens=usage.completion_tokens / calls,
    )
    for where in _places(model, base_url):
        try:
            found = prices.calc_price(call, **where)
        except LookupError:
            continue
        if found.model_price.input_mtok is not None and found.model_price.output_mtok is not None:
            return float(found.total_price) * calls
    return None


def _places(model: str, base_url: str | None) -> Iterable[dict[str, str]]:
    """Where to look a model up: "openai/gpt-5" is GPT-5 of OpenAI unless who serves it lists it so."""
    if base_url:
        yield {"model_ref": model, "provider_api_url": base_url}
    yield {"model_ref": model}
    maker, slash, name = model.partition("/")
    if slash:
        yield {"model_ref": name, "provider_id": maker}
