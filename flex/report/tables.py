"""What the page says in numbers and words: every number as it is printed, every place in a chart in percent."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flex.evaluation.folder import Run
from flex.evaluation.statistics import Difference
from flex.evaluation.summary import Summary
from flex.evaluation.verdicts import primary_in
from flex.report.safe_text import shortened, visible

NAME = 80
"""Characters of a setting's or model's name."""
ROLES = {"primary": "primary comparison", "afterwards": "named afterwards"}
"""How the comparison that counts is marked."""


def headline(run: Run) -> str:
    """The result as one would say it."""
    chosen = primary_in(run.comparisons) or next(iter(run.comparisons), None)
    summaries = {setting.name: setting.summary for setting in run.settings}
    kind = f"{visible(run.benchmark)} " if run.benchmark else ""
    if chosen and chosen.a in summaries and chosen.b in summaries:
        a, b = summaries[chosen.a], summaries[chosen.b]
        verdict = shortened(chosen.verdict, 300)
        if not chosen.incomplete:
            interval = f"95\u00a0% interval {points(chosen.low)} to {points(chosen.high)}"
            verdict = f"a difference of {points(chosen.difference)} points ({interval}): {verdict}"
        late = " (a comparison named afterwards)" if chosen.role == "afterwards" else ""
        both = f"{name_of(chosen.a)} {_reached(a)} {a.n:,} {kind}problems, {name_of(chosen.b)} {_number(b)}"
        return f"{both}: {verdict}{late}."
    parts = [
        f"{name_of(name)} {_reached(s)} {s.n:,} {kind}problems "
        f"(95\u00a0% interval {percent(s.low)} to {percent(s.high)})"
        for name, s in summaries.items()
    ]
    return ("; ".join(parts[:4]) + ("; and so on" if len(parts) > 4 else "")) + "."


def folded(run: Run) -> tuple[list[Difference], list[Difference]]:
    """The comparisons that are shown at once, and those that are folded: not tested, beside the point."""
    return [d for d in run.comparisons if d.role != "aside"], [d for d in run.comparisons if d.role == "aside"]


def adjusted(run: Run) -> bool:
    """Whether the verdicts were made together; those of earlier versions were not."""
    return any(d.p_adjusted is not None for d in run.comparisons)


def measure(run: Run) -> str:
    """What the numbers of a run are: shares of right answers, or means of scores."""
    graded = any(setting.summary.graded for setting in run.settings)
    return "Mean score, of 100" if graded else "Accuracy, %"


def _number(s: Summary) -> str:
    return percent(s.value) if s.graded or s.value is None else f"{percent(s.value)}\u00a0%"


def _reached(s: Summary) -> str:
    return f"scores {_number(s)} of 100 on" if s.graded else f"solves {_number(s)} of"


def counts(s: Summary) -> str:
    """How many of the answers that count were right: "54 of 100"."""
    repeats = f" in {s.n:,} problems, {s.repeats} times each" if s.repeats > 1 else ""
    return f"{s.correct:,} of {s.answered:,}{repeats}"


def metrics(run: Run) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Further numbers: their names, and for each setting the values in percent."""
    names = list(dict.fromkeys(name for setting in run.settings for name in setting.summary.metrics))
    rows = [
        (name_of(setting.name), [percent(s[name]) if name in (s := setting.summary.metrics) else "–" for name in names])
        for setting in run.settings
    ]
    return [visible(name)[:NAME] for name in names], rows


def reach(run: Run) -> float:
    """How far to either side of zero a plot of the differences goes: a round number, 1 at most."""
    most = max((abs(value) for c in run.comparisons for value in (c.low, c.high, c.difference)), default=0.0)
    return next((step for step in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75) if most <= step), 1.0)


def kind(difference: Difference) -> str:
    """`better`, `worse` or `none`: the first word of the verdict, for the colour."""
    return next((word for word in ("better", "worse") if difference.verdict.startswith(word)), "none")


def cost_cells(s: Summary) -> list[str]:
    """What a setting took, in the order of the table's columns, and what one correct answer took of it."""
    none, used, usd = "no correct answer", s.usage, s.cost.usd
    return [
        f"{used.tokens / s.correct:,.0f}" if s.correct else none,
        "unknown" if usd is None else f"{usd / s.correct:,.4f}" if s.correct else none,
        "unknown" if usd is None else f"{usd:,.2f}",
        *(f"{count:,}" for count in (used.calls, used.retries, used.prompt_tokens, used.cached_tokens)),
        *(f"{count:,}" for count in (used.completion_tokens, used.reasoning_tokens)),
        duration(s.seconds),
    ]


def failures(run: Run) -> Iterator[tuple[str, int, Counter[str]]]:
    """Settings in which answers failed or never came: name, answers, how often for which reason."""
    for setting in run.settings:
        if errors := Counter(shortened(row.reason or row.error, 300) for row in setting.rows if row.error is not None):
            yield name_of(setting.name), len(setting.rows), errors


def hidden(run: Run) -> Iterator[tuple[str, int, int, int]]:
    """What the leakage guard hid: setting, how many experiences, from how many tasks, of how many."""
    for setting in run.settings:
        experiences = {experience for row in setting.rows for experience in row.hidden}
        if experiences:
            tasks = {row.task_id for row in setting.rows if row.hidden}
            yield name_of(setting.name), len(experiences), len(tasks), len({row.task_id for row in setting.rows})


def prompts(run: Run) -> list[tuple[str, str, str]]:
    """(prompt, sha256, settings that use it)."""
    users: dict[tuple[str, str], list[str]] = {}
    for setting in run.settings:
        hashes = setting.config.get("prompts")
        for name, digest in hashes.items() if isinstance(hashes, Mapping) else ():
            users.setdefault((visible(str(name))[:NAME], visible(str(digest))[:NAME]), []).append(name_of(setting.name))
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
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        yield key, ", ".join(map(str, values))


def name_of(text: str) -> str:
    """A name as it may stand in the page."""
    return visible(text)[:NAME]


def percent(share: float | None) -> str:
    """ "54.0" of 0.54; a dash where there is no number."""
    return "–" if share is None else f"{100 * share:.1f}"


def points(share: float) -> str:
    """ "+54.0" of 0.54, with a minus as wide as a plus."""
    text = f"{100 * share:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def p_value(p: float) -> str:
    """ "= 0.031", or "< 0.001"."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def place(share: float | None) -> float:
    """Where in a plot a share stands, in per cent of its width."""
    return round(100 * min(1.0, max(0.0, share or 0.0)), 2)


def duration(seconds: float) -> str:
    """ "1 h 02 min", "3 min 05 s" or "4.2 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"
