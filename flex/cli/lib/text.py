"""A library and its entries as a person reads them, in a terminal or as Markdown."""

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from flex.explib import ExpLib
from flex.library.by_hand import is_lost
from flex.library.entry import characters
from flex.library.history import Blamed
from flex.library.merging import over_caps
from flex.text import one_line
from flex.types import ZONES, Change, Experience, Rule

_LARGEST = 3
_ZONE_HEADINGS = {"golden": "Golden", "warning": "Warning: learned from failed attempts", "mixed": "Mixed"}


def width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 120)


def overview(library: ExpLib, path: str) -> str:
    """Counts, the largest entries, those over the caps, quarantine and history."""
    stats = library.stats()
    sizes = sorted(((characters(one), one.id) for one in library), key=lambda pair: (-pair[0], pair[1]))
    large = [f"{one.id}: {problem}" for one in library if (problem := over_caps(one))]
    held = stats["quarantined"]
    facts = {
        "entries": f"{stats['entries']} ({', '.join(f'{n} {zone}' for zone, n in stats['zones'].items())})",
        "rules": f"{stats['rules']} with {stats['examples']} examples, {stats['characters']:,} characters",
        "categories": str(len(stats["categories"])),
        "largest": ", ".join(f"{one} ({size:,} characters)" for size, one in sizes[:_LARGEST]) or "none",
        "over caps": "; ".join(large[:_LARGEST]) + (f"; and {len(large) - _LARGEST} more" if large[_LARGEST:] else "")
        or "none",
        "quarantined": f"{held}; see them: flex lib quarantine {path}" if held else "none",
        "changes": str(stats["changes"]),
    }
    return "\n".join([path, *(f"  {name:<13}{value}" for name, value in facts.items())])


def entry_line(experience: Experience, revision: int, note: str = "") -> str:
    """One line on an entry; `note` stands before what it is about."""
    rules = f"{len(experience.rules)} rule{'s' if len(experience.rules) != 1 else ''}"
    start = f"{experience.id:<16}{experience.zone:<9}r{revision:<4}{rules:<10}{note}"
    about = experience.problem_category or experience.method
    return f"{start}{one_line(about, max(20, width() - len(start)))}"


def entry_page(experience: Experience, revision: str) -> str:
    """All of an entry, wrapped to the terminal."""
    facts = {
        "category": experience.problem_category,
        "created": experience.created_at,
        "from": sources(experience.provenance),
        "merged in": "; ".join(sources(one) for one in experience.provenance.get("merged", ())),
        "contradicts": ", ".join(experience.contradicts),
    }
    lines = [f"{experience.id}  {experience.zone}, priority {experience.priority}, {revision}"]
    lines += [_wrapped(value, f"{name:<13}", " " * 13) for name, value in facts.items() if value]
    lines += ["", "Method", _wrapped(experience.method, "  ", "  ")]
    for heading, rules in rules_by_kind(experience):
        lines += ["", heading]
        for number, rule in rules:
            lines.append(_wrapped(rule.rule, f"{number:>3}. ", "     "))
            lines += [_wrapped(example, "     - ", "       ") for example in rule.examples]
    return "\n".join([*lines, "", "Trajectory", _wrapped(experience.revised_trajectory, "  ", "  ")])


def rules_by_kind(experience: Experience) -> Iterator[tuple[str, list[tuple[int, Rule]]]]:
    """The numbered rules of an entry under headings: what went wrong never stands among what is right."""
    unmarked = "Rules, on what went wrong and on what is right" if experience.zone == "warning" else "Rules"
    for heading, kind in ((unmarked, None), ("Avoid", "avoid"), ("Right instead", "instead")):
        if rules := [(number, rule) for number, rule in enumerate(experience.rules, 1) if rule.kind == kind]:
            yield heading, rules


def sources(provenance: Mapping[str, Any]) -> str:
    """Where something came from, on one line."""
    named = {key: value for key, value in provenance.items() if key != "merged"}
    return ", ".join(f"{key} {_listed(value)}" for key, value in named.items())


def change_line(change: Change) -> str:
    """One change: number, time, action, entry, why, by whom (but for the hash of the prompt), from what."""
    who = ", ".join(str(value) for key, value in change.by.items() if key not in ("prompt", "hand"))
    tasks = change.source.get("tasks")
    told = [change.reason, f"by {who}" if who else "", f"task {_listed(tasks)}" if tasks else ""]
    line = f"{change.number:>5}  {change.time[:19]:<19}  {change.action:<10}  {change.entry:<16}"
    return f"{line}{'; '.join(' '.join(part.split()) for part in told if part)}".rstrip()


def blame_lines(blamed: Iterable[Blamed]) -> Iterator[str]:
    """One line for each part of an entry: revision, change, run and model, tasks, the part."""
    for one in blamed:
        change = one.version.change
        number = "before the history" if change is None else f"change {change.number}"
        who = " ".join(str(change.by[key]) for key in ("run", "model") if key in change.by) if change else ""
        if change and change.by.get("hand"):
            who = "by hand, or before" if is_lost(change) else "by hand"
        tasks = _listed(change.source.get("tasks", ())) if change else ""
        start = f"r{one.version.number:<4}{number:<12}{one_line(who, 24):<18}{one_line(tasks, 24):<18}{one.part}: "
        yield f"{start}{one_line(one.text, max(20, width() - len(start)))}"


def markdown(experiences: Sequence[Experience], title: str) -> str:
    """The entries as a Markdown page, by zone."""
    lines = [f"# {title}", "", f"{len(experiences)} experiences."]
    for zone in ZONES:
        entries = [one for one in experiences if one.zone == zone]
        lines += ["", f"## {_ZONE_HEADINGS[zone]} ({len(entries)})"] if entries else []
        for one in entries:
            lines += ["", f"### {one.id}: {one.problem_category}".rstrip(": "), "", one.method]
            for heading, rules in rules_by_kind(one):
                lines += ["", f"{heading}:", ""]
                for number, rule in rules:
                    lines.append(f"{number}. {_indented(rule.rule, 3)}")
                    lines += [f"   - {_indented(example, 5)}" for example in rule.examples]
            lines += ["", "Trajectory:", "", one.revised_trajectory]
    return "\n".join(lines) + "\n"


def _wrapped(text: str, first: str, others: str) -> str:
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        start = others if lines else first
        wrapped = textwrap.wrap(
            paragraph, width(), initial_indent=start, subsequent_indent=others, break_on_hyphens=False
        )
        lines += wrapped or [start.rstrip()]
    return "\n".join(lines)


def _indented(text: str, by: int) -> str:
    return f"\n{' ' * by}".join(text.splitlines())


def _listed(value: Any) -> str:
    values = list(map(str, value)) if isinstance(value, list | tuple) else [str(value)]
    return ", ".join(values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")
