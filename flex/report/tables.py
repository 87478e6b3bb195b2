"""What the page says in numbers and words: every number as it is printed, every place in a chart in percent."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flex.report.shown import shortened, visible
from flex.runs.folder import Comparison, Run, SettingRun, Summary

NAME = 80
"""Characters of a setting's or model's name."""
MOST_ERRORS = 8
HEADLINES = (("flex", "agent"), ("flex", "vanilla"), ("flex-chat", "vanilla"), ("agent", "vanilla"))
"""Which comparison to open with; the first that was made."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A setting's accuracy with its 95 % interval; in percent, as printed and as drawn."""

    setting: str
    percent: str
    interval: str
    counts: str
    at: float
    low: float
    high: float
    failed: int


@dataclass(frozen=True, slots=True)
class Effect:
    """A paired difference in percentage points, with its place in a plot that is symmetric about zero."""

    a: str
    b: str
    points: str
    interval: str
    p: str
    verdict: str
    at: float
    low: float
    high: float
    kind: str
    """`better`, `worse` or `none`: the first word of the verdict, for the colour."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a setting took, and what one correct answer took of it."""

    setting: str
    calls: str
    retries: str
    tokens_in: str
    cached: str
    tokens_out: str
    reasoning: str
    hours: str
    per_correct: str
    usd: str
    usd_per_correct: str


@dataclass(frozen=True, slots=True)
class Failure:
    setting: str
    failed: int
    answers: int
    errors: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Hidden:
    """How much the leakage guard hid in one setting."""

    setting: str
    experiences: int
    tasks: int
    all_tasks: int


def headline(run: Run) -> str:
    """The result as one would say it."""
    comparisons = {(c.a, c.b): c for c in run.comparisons}
    chosen = next((comparisons[pair] for pair in HEADLINES if pair in comparisons), next(iter(run.comparisons), None))
    summaries = {setting.name: setting.summary for setting in run.settings}
    kind = f"{visible(run.benchmark)} " if run.benchmark else ""
    if chosen and chosen.a in summaries and chosen.b in summaries:
        a, b = summaries[chosen.a], summaries[chosen.b]
        return (
            f"{_name(chosen.a)} {_reached(a)} {a.n:,} {kind}problems, {_name(chosen.b)} {_number(b)}: "
            f"a difference of {_points(chosen.difference)} points "
            f"(95\u00a0% interval {_range(_points(chosen.low), _points(chosen.high))}): {_verdict(chosen.verdict)}."
        )
    parts = [
        f"{_name(name)} {_reached(s)} {s.n:,} {kind}problems "
        f"(95\u00a0% interval {_range(_percent(s.low), _percent(s.high))})"
        for name, s in summaries.items()
    ]
    return ("; ".join(parts[:4]) + ("; and so on" if len(parts) > 4 else "")) + "."


def measure(run: Run) -> str:
    """What the numbers of a run are: shares of right answers, or means of scores."""
    graded = any(setting.summary.headline == "mean_score" for setting in run.settings)
    return "Mean score, of 100" if graded else "Accuracy, %"


def _number(s: Summary) -> str:
    return _percent(s.value) if s.headline == "mean_score" else f"{_percent(s.value)}\u00a0%"


def _reached(s: Summary) -> str:
    return f"scores {_number(s)} of 100 on" if s.headline == "mean_score" else f"solves {_number(s)} of"


def accuracies(run: Run) -> list[Accuracy]:
    """One bar per setting, in order."""
    return [_accuracy(setting) for setting in run.settings]


def _accuracy(setting: SettingRun) -> Accuracy:
    s = setting.summary
    repeats = f" in {s.n:,} problems, {s.repeats} times each" if s.repeats > 1 else ""
    return Accuracy(
        setting=_name(setting.name),
        percent=_percent(s.value),
        interval=_range(_percent(s.low), _percent(s.high)),
        counts=f"{s.correct:,} of {s.n * max(1, s.repeats):,}{repeats}",
        at=_place(s.value),
        low=_place(s.low),
        high=_place(s.high),
        failed=s.failed,
    )


def metrics(run: Run) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Further numbers: their names, and for each setting the values in percent."""
    names = list(dict.fromkeys(name for setting in run.settings for name in setting.summary.metrics))
    rows = [
        (_name(setting.name), [_percent(s[name]) if name in (s := setting.summary.metrics) else "–" for name in names])
        for setting in run.settings
    ]
    return [visible(name)[:NAME] for name in names], rows


def effects(run: Run) -> tuple[list[Effect], str]:
    """The paired differences, and how many points the plot reaches to either side."""
    reach = max((abs(value) for c in run.comparisons for value in (c.low, c.high, c.difference)), default=0.0)
    reach = next((step for step in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75) if reach <= step), 1.0)
    return [_effect(comparison, reach) for comparison in run.comparisons], f"{100 * reach:.0f}"


def _effect(c: Comparison, reach: float) -> Effect:
    return Effect(
        a=_name(c.a),
        b=_name(c.b),
        points=_points(c.difference),
        interval=_range(_points(c.low), _points(c.high)),
        p="" if c.p is None else "< 0.001" if c.p < 0.001 else f"{c.p:.3f}",
        verdict=_verdict(c.verdict),
        at=_place((c.difference / reach + 1) / 2),
        low=_place((c.low / reach + 1) / 2),
        high=_place((c.high / reach + 1) / 2),
        kind=next((word for word in ("better", "worse") if c.verdict.startswith(word)), "none"),
    )


def costs(run: Run) -> list[Cost]:
    """What each setting took."""
    return [_cost(setting) for setting in run.settings]


def _cost(setting: SettingRun) -> Cost:
    s = setting.summary
    none = "no correct answer"
    return Cost(
        setting=_name(setting.name),
        calls=f"{s.usage.calls:,}",
        retries=f"{s.usage.retries:,}",
        tokens_in=f"{s.usage.prompt_tokens:,}",
        cached=f"{s.usage.cached_tokens:,}",
        tokens_out=f"{s.usage.completion_tokens:,}",
        reasoning=f"{s.usage.reasoning_tokens:,}",
        hours=_duration(s.seconds),
        per_correct=f"{s.usage.tokens / s.correct:,.0f}" if s.correct else none,
        usd="unknown" if s.usd is None else f"{s.usd:,.2f}",
        usd_per_correct="unknown" if s.usd is None else f"{s.usd / s.correct:,.4f}" if s.correct else none,
    )


def failures(run: Run) -> list[Failure]:
    """Settings in which answers failed for want of an endpoint's reply, with the commonest reasons."""
    return [found for setting in run.settings if (found := _failure(setting)).failed]


def _failure(setting: SettingRun) -> Failure:
    errors = Counter(shortened(row.error, 300) for row in setting.rows if row.error is not None)
    return Failure(_name(setting.name), errors.total(), len(setting.rows), tuple(errors.most_common(MOST_ERRORS)))


def hidden(run: Run) -> list[Hidden]:
    """What the leakage guard hid, for the settings in which it hid something."""
    return [
        Hidden(
            _name(setting.name),
            experiences=len({experience for row in setting.rows for experience in row.hidden}),
            tasks=len({row.task_id for row in setting.rows if row.hidden}),
            all_tasks=len({row.task_id for row in setting.rows}),
        )
        for setting in run.settings
        if any(row.hidden for row in setting.rows)
    ]


def prompts(run: Run) -> list[tuple[str, str, str]]:
    """(prompt, sha256, settings that use it)."""
    users: dict[tuple[str, str], list[str]] = {}
    for setting in run.settings:
        hashes = setting.config.get("prompts")
        for name, digest in hashes.items() if isinstance(hashes, Mapping) else ():
            users.setdefault((visible(str(name))[:NAME], visible(str(digest))[:NAME]), []).append(_name(setting.name))
    return [(name, digest, ", ".join(settings)) for (name, digest), settings in users.items()]


def configuration(run: Run) -> tuple[list[tuple[str, str]], list[tuple[str, list[str]]]]:
    """What all settings have in common as (key, value), and what differs as (key, values in the settings' order)."""
    flat = [dict(_flat({k: v for k, v in setting.config.items() if k != "prompts"})) for setting in run.settings]
    same, different = [], []
    for key in dict.fromkeys(key for values in flat for key in values):
        values = [shortened(each.get(key, "–"), 500) for each in flat]
        if len(set(values)) == 1:
            same.append((visible(key)[:NAME], values[0]))
        else:
            different.append((visible(key)[:NAME], values))
    return same, different


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, value as text) of everything in a configuration that is set."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    elif value is not None:
        yield (
            key,
            ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value),
        )


def _name(text: str) -> str:
    return visible(text)[:NAME]


def _verdict(text: str) -> str:
    return shortened(text, 300)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _points(share: float) -> str:
    """With a sign, and a minus as wide as a plus."""
    text = f"{100 * share:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def _range(low: str, high: str) -> str:
    return f"{low} to {high}"


def _place(share: float) -> float:
    return round(100 * min(1.0, max(0.0, share)), 2)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"
