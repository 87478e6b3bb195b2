"""Flags that several commands share, and how a command ends."""

import argparse
import asyncio
import contextlib
import hashlib
import json
import logging
import math
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from flex.concurrency import INTERRUPTED
from flex.errors import FlexError, SettingsError

if TYPE_CHECKING:
    from flex.concurrency import Stop
    from flex.rate_limiter import ChatModel, RateLimitedLLMClient


OURS = ("model", "messages", "stream")
"""What --extra_body must not replace."""


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a default where there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        without = action.default is None or isinstance(action, argparse._StoreFalseAction | argparse._StoreTrueAction)
        return action.help if without else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """Shows defaults, takes `--max-rounds` for `--max_rounds` and the other way round, and refuses in one line."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog, description=description, formatter_class=_Help)

    def error(self, message: str) -> NoReturn:
        self.exit(_ended(2, f"error: {message} (see --help)"))

    def parse(self, argv: Sequence[str] | None = None) -> argparse.Namespace:
        known = {option.replace("-", "_"): option for action in self._actions for option in action.option_strings}
        words = []
        for word in sys.argv[1:] if argv is None else argv:
            name, equals, value = word.partition("=")
            words.append(known.get(name.replace("-", "_"), name) + equals + value if name.startswith("--") else word)
        return self.parse_args(words)


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    """Flags on how to talk to the endpoint; its address and key come from BASE_URL and API_KEY."""
    group = parser.add_argument_group("endpoint (address and key: environment BASE_URL, API_KEY)")
    group.add_argument("--base_url", default=None, help="instead of BASE_URL")
    group.add_argument("--requests_per_minute", type=above_zero, default=None, help="never more in any 60 seconds")
    group.add_argument("--tokens_per_minute", type=positive, default=None, help="never more in any 60 seconds")
    group.add_argument("--max_connections", type=positive, default=100, help="calls in flight at once")
    group.add_argument("--max_retries", type=natural, default=6, help="of a call that fails for a passing reason")
    group.add_argument("--timeout", type=above_zero, default=600.0, help="seconds to wait for a reply")
    group.add_argument(
        "--temperature", type=from_zero, default=None, help="of the actor; unset: the endpoint's default"
    )
    group.add_argument(
        "--max_tokens", type=positive, default=None, help="of every reply; unset: the endpoint's default"
    )
    group.add_argument("--reasoning_effort", default=None, help="passed through to models that reason")
    group.add_argument("--extra_body", type=json_object, default=None, help="JSON object merged into every request")
    group.add_argument("--no-telemetry", dest="telemetry", action="store_false", help="send no traces to a collector")
    group.add_argument("--verbose", action="store_true", help="log what the library does")


def add_budget(parser: argparse.ArgumentParser) -> None:
    """Flags on what may be spent."""
    group = parser.add_argument_group("budget (a run that reaches it stops cleanly and can be resumed)")
    group.add_argument("--max_tokens_total", type=positive, default=None, help="tokens of all roles together")
    group.add_argument("--max_usd", type=above_zero, default=None, help="US dollars, all roles together")
    group.add_argument("--prices", type=Path, default=None, help="a JSON file of prices, see flex/endpoint/cost.py")


def make_stop(options: argparse.Namespace, client: "RateLimitedLLMClient", models: Mapping[str, str]) -> "Stop":
    """Stops when the budget is spent; `models` are their names by role.

    Raises SettingsError for a budget in money where a price is unknown.
    """
    from flex.concurrency import Stop
    from flex.endpoint.cost import Budget, Prices

    budget = Budget(options.max_tokens_total, options.max_usd, Prices.load(options.prices, client.base_url))
    budget.check(set(models.values()))
    return Stop(lambda: budget.spent(client.usage_by_model))


@contextlib.contextmanager
def listening(stop: "Stop") -> "Iterator[None]":
    """The first Ctrl-C lets what is under way end, the second leaves at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    interrupts: list[None] = []

    def interrupted() -> None:
        interrupts.append(None)
        if len(interrupts) > 1 and task is not None:
            task.cancel()
        stop.request(INTERRUPTED)
        print("\nfinishing what is under way; Ctrl-C again to leave at once", file=sys.stderr)

    try:
        loop.add_signal_handler(signal.SIGINT, interrupted)
    except (NotImplementedError, RuntimeError):  # Windows, or not the main thread: Ctrl-C leaves at once
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def stopped(reason: str, resume: str) -> int:
    """Say why a run ended early and how it goes on; its exit code."""
    return _ended(130 if reason == INTERRUPTED else 3, f"stopped: {reason}; everything paid for is kept. {resume}")


def make_client(options: argparse.Namespace) -> "RateLimitedLLMClient":
    """The one client of a run. Raises SettingsError."""
    from flex.rate_limiter import RateLimitedLLMClient

    return RateLimitedLLMClient(
        base_url=options.base_url,
        requests_per_minute=options.requests_per_minute,
        tokens_per_minute=options.tokens_per_minute,
        max_connections=options.max_connections,
        max_retries=options.max_retries,
        timeout=options.timeout,
    )


def make_model(options: argparse.Namespace, client: "RateLimitedLLMClient", name: str, role: str) -> "ChatModel":
    """The model of a role; the temperature is the actor's only."""
    from flex.rate_limiter import ChatModel

    return ChatModel(
        name,
        client,
        role=role,
        temperature=options.temperature if role == "actor" else None,
        max_tokens=options.max_tokens,
        reasoning_effort=options.reasoning_effort,
        extra_body=options.extra_body,
    )


def positive(text: str) -> int:
    """A whole number from 1."""
    return whole(text, 1)


def natural(text: str) -> int:
    """A whole number from 0."""
    return whole(text, 0)


def whole(text: str, least: int, most: float = math.inf) -> int:
    """A whole number within limits. Raises what argparse shows."""
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        limits = f"from {least}" if most == math.inf else f"from {least} to {most}"
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number {limits}")
    return number


def above_zero(text: str) -> float:
    """A number above 0."""
    if (number := from_zero(text)) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return number


def from_zero(text: str) -> float:
    """A number from 0; neither infinite nor NaN."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0")
    return number


def json_object(text: str) -> dict[str, Any]:
    """A JSON object, as in --extra_body '{"top_p": 0.9}'."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()  # what will be sent
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("not a JSON object")
    if taken := [name for name in OURS if name in value]:
        raise argparse.ArgumentTypeError(f"'{taken[0]}' is set by flex itself and cannot be replaced")
    return value


def body_sha256(extra_body: Mapping[str, Any] | None) -> str | None:
    """A sha256 of --extra_body for the run's configuration: some gateways are given keys in it."""
    if extra_body is None:
        return None
    return hashlib.sha256(json.dumps(extra_body, sort_keys=True).encode()).hexdigest()


def existing(path: str | Path, what: str) -> Path:
    """The path. Raises SettingsError when nothing is there."""
    if not Path(path).exists():
        raise SettingsError(f"{what} {path} does not exist")
    return Path(path)


def run_command(work: Callable[[], Coroutine[Any, Any, int]], *, verbose: bool = False, resume: str = "") -> int:
    """Run a command to its exit code: one clear line for what a person can mend, a traceback only for a bug."""
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("flex.proteins.assays").setLevel(
        logging.WARNING
    )  # what of the data is left out concerns everybody
    for noisy in ("httpx2", "openai", "opentelemetry"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        return asyncio.run(work())
    except SettingsError as error:
        return _ended(2, f"error: {error}")
    except FlexError as error:
        return _ended(1, f"failed: {error}")
    except OSError as error:
        return _ended(1, f"failed: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _ended(130, f"stopped; everything finished so far is kept. {resume}".strip())


def _ended(code: int, line: str) -> int:
    with contextlib.suppress(BrokenPipeError):
        print(" ".join(line.split()), file=sys.stderr)
    return code
