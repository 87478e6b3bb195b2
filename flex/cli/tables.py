"""The numbers of an evaluation as a terminal shows them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flex.evaluation.statistics import Difference
    from flex.evaluation.summary import Summary


def results_table(settings: "Mapping[str, Summary]", comparisons: "Sequence[Difference]") -> list[str]:
    """Settings with intervals, then the paired differences with their verdicts."""
    heads = f"{'correct':>9}{'failed':>8}{'calls':>8}{'tokens':>11}{'seconds':>9}"
    graded = any(summary.graded for summary in settings.values())
    lines = [f"{'setting':<16}{'score' if graded else 'accuracy':>9}  {'95 % interval':>15}{heads}"]
    for name, s in settings.items():
        interval = f"{100 * s.low:.1f} to {100 * s.high:.1f}"
        shown = f"{value(s):>9}" if graded or s.value is None else f"{value(s):>7} %"
        spent = f"{s.usage.calls:>8}{s.usage.tokens:>11}{s.wall_seconds:>9.1f}"
        lines.append(f"{name:<16}{shown}  {interval:>15}{f'{s.correct}/{s.answered}':>9}{s.failed:>8}{spent}")
    lines += [f"{name}: {s.notes}" for name, s in settings.items() if s.notes]
    if comparisons:
        lines += ["", f"{'difference in points':<32}{'':>6}  {'95 % interval':>16}{'p':>8}  verdict"]
    for d in comparisons:
        interval = f"{100 * d.low:+.1f} to {100 * d.high:+.1f}"
        p = "<0.001" if d.p < 0.001 else f"{d.p:.3f}"
        lines.append(f"{f'{d.a} - {d.b}':<32}{100 * d.difference:>+6.1f}  {interval:>16}{p:>8}  {d.verdict}")
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
    return [*lines, summary.notes] if summary.notes else lines


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
