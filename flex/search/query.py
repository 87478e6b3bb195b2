"""What a search is asked for and what it finds."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flex.types import Experience, Zone

RANKINGS = ("words", "4-grams")
"""What finds an entry, as a hit says it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which experiences may be found; without arguments all of them."""

    zones: Collection[Zone] | None = None
    categories: Collection[str] | None = None
    min_priority: int = 0
    """0: any."""
    hidden: Collection[str] = ()
    """Ids never to be shown for this task."""


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Found:
    """One experience that was found, how well it matches (1: best in everything) and what found it."""

    id: str
    score: float
    why: str


def admits(wanted: Wanted, experience: Experience) -> bool:
    """Whether an experience passes the filters."""
    return (
        (wanted.zones is None or experience.zone in wanted.zones)
        and (wanted.categories is None or experience.problem_category in wanted.categories)
        and experience.priority >= wanted.min_priority
        and experience.id not in wanted.hidden
    )


def searchable(experience: Experience) -> str:
    """All an experience says, as one text: what search looks through."""
    rules = (text for rule in experience.rules for text in (rule.rule, *rule.examples))
    return "\n".join((experience.problem_category, experience.method, *rules, experience.revised_trajectory))


def bounded(priority: int) -> int:
    """The priority as an index keeps it, in 32 bits."""
    return max(min(priority, 2**31 - 1), -(2**31))


def why(shares: Sequence[float]) -> str:
    """What found an entry, from its share in each ranking's best score: what counts at least half as much as any."""
    return ", ".join(name for name, share in zip(RANKINGS, shares, strict=True) if 2 * share >= max(shares))
