"""What a search is asked for and what it finds."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flex.types import Experience, Zone


@dataclass(frozen=True, slots=True)
class Filter:
    """Which experiences a search may find; without arguments all of them."""

    zones: Collection[Zone] | None = None
    categories: Collection[str] | None = None
    min_priority: int = 0
    """0: any."""
    hidden: Collection[str] = ()
    """Ids never to be shown for this task."""

    def accepts(self, experience: Experience) -> bool:
        """Whether this experience may be found."""
        kind = experience.zone, experience.problem_category, experience.priority
        return self.accepts_kind(*kind) and experience.id not in self.hidden

    def accepts_kind(self, zone: Zone, category: str, priority: int) -> bool:
        """Whether such experiences may be found, but for the hidden ones."""
        return (
            (self.zones is None or zone in self.zones)
            and (self.categories is None or category in self.categories)
            and (self.min_priority <= 0 or priority >= self.min_priority)
        )


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Match:
    """An experience that was found, how well it matches (1: best in everything) and what found it."""

    id: str
    score: float
    why: str


def searchable(experience: Experience) -> str:
    """All an experience says, as one text: what search looks through."""
    rules = (text for rule in experience.rules for text in (rule.rule, *rule.examples))
    return "\n".join((experience.problem_category, experience.method, *rules, experience.revised_trajectory))


def why(shares: Sequence[float]) -> str:
    """What found an entry, from its share in each ranking's best score: what counts at least half as much as any."""
    return ", ".join(name for name, share in zip(("words", "4-grams"), shares, strict=True) if 2 * share >= max(shares))
