"""The numbers of an evaluation as a terminal shows them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flex.evaluation.statistics import Difference
    from flex.evaluation.summary import Summary


MOST_REASONS = 5
"""How many reasons are told; all of them stand in summary.json."""


def results_table(
    settings: "Mapping[str, Summary]", comparisons: "Sequence[Difference]", *, all_pairs: bool = False
) -> list[str]:
    """Settings with intervals, then the paired differences with their verdicts; those not tested on request."""
    graded = any(summary.graded for summary in settings.values())
    heads = f"{'setting':<16}{'score' if graded else 'accuracy':>9}  {'95 % interval':>15}{'correct':>9}{'failed':>8}"
    lines = [f"{heads}{'consulted':>11}{'calls':>8}{'tokens':>11}{'seconds':>9}"]
    lines += [setting_line(name, summary, graded=graded) for name, summary in settings.items()]
    lines += [f"{'* ' if s.unanswered else ''}{name}: {s.notes}" for name, s in settings.items() if s.notes]
    return [*lines, *(["", *comparison_lines(comparisons, all_pairs=all_pairs)] if comparisons else [])]


def setting_line(name: str, s: "Summary", *, graded: bool) -> str:
    """A setting's numbers; a star says that answers are missing."""
    interval = f"{100 * s.low:.1f} to {100 * s.high:.1f}"
    shown = f"{value(s):>9}" if graded or s.value is None else f"{value(s):>7} %"
    counts = f"{f'{s.correct}/{s.answered}':>9}{s.failed:>8}{s.consulted_of or '-':>11}"
    spent = f"{s.usage.calls:>8}{s.usage.tokens:>11}{s.wall_seconds:>9.1f}"
    return f"{name + (' *' if s.unanswered else ''):<16}{shown}  {interval:>15}{counts}{spent}"


def comparison_lines(comparisons: "Sequence[Difference]", *, all_pairs: bool = False) -> list[str]:
    """The paired differences, the primary one first, and what their numbers are."""
    from flex.evaluation.verdicts import footnote

    lines = [f"{'difference in points':<32}{'':>6}  {'95 % interval':>16}{'p':>8}{'adjusted':>10}  verdict"]
    for d in comparisons:
        if d.role == "aside" and not all_pairs:
            continue
        numbers = f"{'-':>6}  {'-':>16}{'-':>8}{'-':>10}"
        if d.measured:
            interval, adjusted = f"{100 * d.low:+.1f} to {100 * d.high:+.1f}", p_value(d.p_adjusted)
            numbers = (
                f"{100 * d.difference:>+6.1f}  {interval:>16}{p_value(None if d.incomplete else d.p):>8}{adjusted:>10}"
            )
        lines.append(f"{d.name:<32}{numbers}  {d.verdict}")
    note = footnote(comparisons)
    folded = not all_pairs and any(d.role == "aside" for d in comparisons)
    return [*lines, *([f"{note}{' (--all_pairs)' if folded else ''}"] if note else [])]


def p_value(p: float | None) -> str:
    """ "0.031", "<0.001", or a dash for what was not tested."""
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def failures(settings: "Mapping[str, Summary]") -> list[str]:
    """Why answers failed or never came, a line for each setting, and what can be done."""
    lines = []
    for name, s in settings.items():
        counts = [f"{s.unanswered} of {s.answers} answers never came and count in no number"] * bool(s.unanswered)
        counts += [f"{s.failed} of {s.answers} answers failed and count as wrong"] * bool(s.failed)
        if s.unforeseen:
            counts.append(f"{s.unforeseen} in an unforeseen error, whose traceback stands in the log of the problem")
        why = ", ".join(f"{count} ({reason})" for reason, count in list(s.reasons.items())[:MOST_REASONS])
        if counts:
            lines.append(f"{name}: {', '.join(counts)}: {why}; the same command asks again")
    return lines


def closing_lines(summary: "Summary") -> list[str]:
    """The result of one setting as a person reads it; the last line says what is to be known beside it."""
    usage = summary.usage
    shares = {f"pass@{k}": share for k, share in summary.pass_at.items()}
    shares |= {f"top-{k}": share for k, share in summary.top.items()}
    lines = [
        headline(summary),
        *(f"{name}: {100 * value:.1f}" for name, value in summary.aggregates.items()),
        *(f"{name}: {100 * value:.1f} %" for name, value in shares.items()),
        f"calls {usage.calls}, retries {usage.retries}, "
        f"tokens {usage.prompt_tokens} in + {usage.completion_tokens} out",
    ]
    return [*lines, *filter(None, [summary.notes]), *failures({summary.setting: summary})]


def value(summary: "Summary") -> str:
    """The number that counts, in per cent; a dash when nothing was answered."""
    return "–" if summary.value is None else f"{100 * summary.value:.1f}"


def headline(summary: "Summary") -> str:
    """The number that counts, with its interval."""
    interval = f"95 % interval {100 * summary.low:.1f} to {100 * summary.high:.1f}, n = {summary.n}"
    if summary.value is None:
        return f"{summary.setting}: none of {summary.answers} answers came"
    if summary.graded:
        return f"{summary.setting}: mean score {value(summary)} of 100 ({interval})"
    right = f"{summary.correct} of {summary.answered} correct"
    return f"{summary.setting}: {right}, accuracy {value(summary)} % ({interval})"
