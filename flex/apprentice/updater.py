"""The updater: into which entry an experience belongs, and what stays of an entry that has grown over its limits."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from flex.apprentice.actor import WHO
from flex.apprentice.chemistry.reading import lessons_in
from flex.apprentice.text import Messages, first_prompt, section

RULES, CHARACTERS = 12, 16_000
"""The limits of an entry where the prompt states none."""
FILLED = 0.75
"""How much of the limit is used, so that the entry can go on learning."""
CUT = "[...]"
"""Ends a text that the prompt shows in part."""

_SIMILAR = re.compile(r"<similar_experience\b([^<>]*)>(.*?)</similar_experience>", re.DOTALL | re.IGNORECASE)
_ID = re.compile(r"""\bid\s*["']?\s*[=:]\s*["']?([^"'\s,>]+)""", re.IGNORECASE)
NEW_EXPERIENCE = re.compile(r"<new_experience\b[^<>]*>(.*?)</new_experience>", re.DOTALL | re.IGNORECASE)
_LIMITS = re.compile(r"(\d+) rules, (\d+) characters")
_RULE = re.compile(r"<rule\b[^<>]*>(.*?)</rule>", re.DOTALL | re.IGNORECASE)


class _Entry(NamedTuple):
    """A similar entry as the prompt shows it."""

    id: str
    attributes: str
    templates: frozenset[str]


def update(messages: Messages, model: str) -> str:
    """Merge into the entry that holds the same template, so that its example is added; else insert.

    Of experiences without a template one is enough.
    """
    prompt = first_prompt(messages)
    new = NEW_EXPERIENCE.search(prompt)
    found = ((_ID.search(attributes), attributes, text) for attributes, text in _SIMILAR.findall(prompt))
    entries = [_Entry(id[1], attributes, templates_in(text)) for id, attributes, text in found if id]
    text = new[1] if new else prompt[max((match.end() for match in _SIMILAR.finditer(prompt)), default=0) :]
    rules = [templates_in(rule) for rule in _RULE.findall(text) or [text]]
    taught = frozenset().union(*rules)
    if not taught and (empty := next((entry for entry in entries if not entry.templates), None)):
        return decision("discard", empty.id, reason="neither teaches a template")
    target = max(entries, key=lambda entry: len(taught & entry.templates), default=None)
    if target is None or not taught & target.templates:
        return decision("insert", reason="no entry shown has this template")
    elsewhere = frozenset().union(*(entry.templates for entry in entries)) - target.templates
    solved = new is not None and "golden" in new[0].split(">")[0] and "warning" in target.attributes
    return decision(
        "merge",
        target.id,
        [number for number, templates in enumerate(rules, 1) if not templates & elsewhere],
        "new" if solved else "existing",
        "the same template is there; its example is added",
    )


def templates_in(text: str) -> frozenset[str]:
    """The templates that a text recommends."""
    return frozenset(lesson.template for lesson in lessons_in([text]))


def decision(
    action: str,
    target: str | None = None,
    novel_rules: Sequence[int] = (),
    trajectory: str = "existing",
    reason: str = "",
    how: str = "templates letter by letter",
) -> str:
    """An updater's reply."""
    decided = {
        "action": action,
        "target": target,
        "novel_rules": list(novel_rules),
        "trajectory": trajectory,
        "contradicts": [],  # templates, and formulas, compete; they do not exclude one another
        "reason": reason,
    }
    return f"{WHO} I compare {how}.\n```json\n{json.dumps(decided)}\n```"


@dataclass(slots=True)
class _Rule:
    text: str
    examples: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str | None:
        """Told by the mark before the text."""
        return next((kind for kind in ("avoid", "instead") if self.text.startswith(f"[{kind}] ")), None)

    @property
    def unmarked(self) -> str:
        return self.text.removeprefix(f"[{self.kind}] ")


def consolidate(messages: Messages, model: str) -> str:
    """Rules with one template become one; then those with most examples stay, and the first examples of each."""
    prompt = first_prompt(messages)
    stated = _LIMITS.search((section(prompt, "limits") or "").partition("The limits:")[2])
    most, characters = (int(stated[1]), int(stated[2])) if stated else (RULES, CHARACTERS)
    room = int(FILLED * characters)
    method = _cut(section(prompt, "method") or "As the rules say.", room // 8)
    rules = _most_supported(_merged_by_template(_rules_in(section(prompt, "rules") or "")), most, room * 5 // 8)
    trajectory = _cut(section(prompt, "trajectory") or "", room // 8)
    room -= len(method) + len(trajectory) + sum(len(rule.text) for rule in rules)
    entry = {"method": method, "rules": _with_examples(rules, room), "revised_trajectory": trajectory}
    return f"{WHO} I join rules with one template and count examples.\n```json\n{json.dumps(entry, indent=1)}\n```"


def _rules_in(text: str) -> list[_Rule]:
    """The numbered rules of a list, with the examples under each."""
    rules: list[_Rule] = []
    for line in text.splitlines():
        number = f"{len(rules) + 1}. "
        if line.startswith(number):
            rules.append(_Rule(line.removeprefix(number)))
        elif rules and line.lstrip().startswith("- "):
            rules[-1].examples.append(line.lstrip()[2:])
        elif rules and not rules[-1].examples:
            rules[-1].text += f"\n{line}"
    return rules


def _merged_by_template(rules: list[_Rule]) -> list[_Rule]:
    """One rule for each set of templates, or for each text without one, with the examples of all, each once."""
    found: dict[object, _Rule] = {}
    for rule in [rule for rule in rules if not rule.text.endswith(CUT)] or rules:  # half a template is another one
        avoided = rule.kind == "avoid"
        known = found.setdefault((avoided, templates_in(rule.text) or rule.text), _Rule(rule.text))
        known.examples += [e for e in rule.examples if e not in known.examples and not e.endswith(CUT)]
    return list(found.values())


def _most_supported(rules: list[_Rule], most: int, room: int) -> list[_Rule]:
    """The rules with most examples for which there is room, in their order."""
    kept: set[int] = set()
    for index in sorted(range(len(rules)), key=lambda index: -len(rules[index].examples)):
        if len(kept) < most and len(rules[index].text) <= room:
            kept.add(index)
            room -= len(rules[index].text)
    return [rules[index] for index in sorted(kept)] or [_Rule(_cut(rule.text, room)) for rule in rules[:1]]


def _with_examples(rules: list[_Rule], room: int) -> list[dict[str, object]]:
    """The rules with the first example of each, then the second of each, and so on while there is room."""
    kept: list[list[str]] = [[] for _ in rules]
    for turn in zip_longest(*(rule.examples for rule in rules)):
        for examples, example in zip(kept, turn, strict=True):
            if example is not None and len(example) <= room:
                examples.append(example)
                room -= len(example)
    return [
        {"rule": rule.unmarked, "examples": examples, "kind": rule.kind}
        for rule, examples in zip(rules, kept, strict=True)
    ]


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[:size].rpartition(" ")[0] or text[:size]
