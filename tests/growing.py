"""Random experiences, and libraries that grow by random steps, for the properties that hold for all of them."""

from dataclasses import dataclass

from hypothesis import strategies as st

from flex.explib import ExpLib
from flex.library.changes import Author
from flex.types import ZONES, Experience, Rule, UpdateDecision

MOMENT = "2026-01-01T00:00:00+00:00"

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | text, lambda v: st.lists(v) | st.dictionaries(text, v), max_leaves=8
)
experiences = st.builds(
    Experience,
    method=text,
    rules=st.lists(st.builds(Rule, text, st.lists(text, max_size=3).map(tuple)), max_size=3).map(tuple),
    revised_trajectory=text,
    zone=st.sampled_from(ZONES),
    problem_category=text,
    priority=st.integers(-5, 10**6),
    created_at=text,
    usage_count=st.integers(0, 10**6),
    last_used=st.none() | text,
    provenance=st.dictionaries(text, json_values, max_size=2),
    extra=st.dictionaries(text.filter(lambda key: key.startswith(("x", "ä"))), json_values, max_size=2),
)


@dataclass(frozen=True)
class Step:
    """One change: what is done, to which entry (by number, as far as there are that many), with which words."""

    what: str
    entry: int
    words: tuple[int, ...]
    zone: str


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["add", "add", "add", "merge", "merge", "discard", "remove", "rollback", "quarantine"]),
        st.integers(0, 5),
        st.lists(st.integers(0, 9), min_size=1, max_size=3).map(tuple),
        st.sampled_from(ZONES),
    ),
    max_size=12,
)


def experience(step: Step) -> Experience:
    """Something with rules from a small stock, so that libraries come to say the same."""
    rules = tuple(Rule(f"Rule {word}.", (f"Example {word}.",)) for word in step.words)
    told = f"Trajectory {step.words[0] % 4}, long enough." * (1 + step.words[-1] % 2)
    tasks = [f"task-{step.words[0]}"]
    return Experience(f"Method {step.words[0] % 4}.", rules, told, step.zone, provenance={"tasks": tasks, "rollout": 0})


def grow(library: ExpLib, steps: list[Step], run: str = "run") -> ExpLib:
    """Carry out the steps on the library; a step that finds no entry adds one."""
    author = Author({"run": run})
    for step in steps:
        ids = [entry.id for entry in library]
        if step.what == "rollback":
            library.rollback(min(step.entry, len(library.history())), author)
        elif step.what == "quarantine":
            library.apply(experience(step), UpdateDecision("quarantine", reason="unreadable"), author)
        elif step.what == "add" or not ids:
            library.apply(experience(step), UpdateDecision("insert", reason="new"), author)
        else:
            change(library, ids[step.entry % len(ids)], step, author)
    return library


def change(library: ExpLib, target: str, step: Step, author: Author) -> None:
    if step.what == "remove":
        library.remove(target, "not wanted", author)
    elif step.what == "discard":
        library.apply(experience(step), UpdateDecision("discard", target, reason="known"), author)
    else:
        novel = tuple(range(len(step.words)))
        trajectory = "new" if step.words[-1] % 2 else "existing"
        library.apply(experience(step), UpdateDecision("merge", target, novel, trajectory, "more"), author)


def grown(steps: list[Step], run: str = "run") -> ExpLib:
    return grow(ExpLib(clock=lambda: MOMENT), steps, run)


def content(library: ExpLib) -> list[Experience]:
    """Everything it says, in order; zones are fields of the entries."""
    return list(library)
