"""The updater and the retriever: both look at words only, chemistry stays with the actor."""

import json
import re
from collections.abc import Sequence
from math import log

from flex.apprentice.actor import WHO
from flex.apprentice.chemistry.reading import lessons_in, section
from flex.apprentice.text import Messages, prompted

TOP_K = 5
GRAM = 4
ENOUGH = 0.5
"""Of the best candidate's score: who has less shares only words that all of them have."""

_SIMILAR = re.compile(r"<similar_experience\b([^<>]*)>(.*?)</similar_experience>", re.DOTALL | re.IGNORECASE)
_ID = re.compile(r"""\bid\s*["']?\s*[=:]\s*["']?([^"'\s,>]+)""", re.IGNORECASE)
_NEW = re.compile(r"<new_experience\b[^<>]*>(.*?)</new_experience>", re.DOTALL | re.IGNORECASE)
_CANDIDATE = re.compile(r"<candidate\b[^<>]*?(\d+)[^<>]*>(.*?)</candidate>", re.DOTALL | re.IGNORECASE)
_NUMBERED = re.compile(r"^[ \t]*\[?(\d+)[.):\]][ \t]*(.+?)(?=^[ \t]*\[?\d+[.):\]]|\Z)", re.DOTALL | re.MULTILINE)
_RULE = re.compile(r"<rule\b[^<>]*>(.*?)</rule>", re.DOTALL | re.IGNORECASE)
_WORD = re.compile(r"\w+")


def update(messages: Messages, model: str) -> str:
    """Merge into the entry that holds the same template, so that its example is added; else insert.

    Of experiences without a template one is enough.
    """
    prompt = prompted(messages)[0]
    fresh = _NEW.search(prompt)
    rules = _templates_by_rule(fresh[1] if fresh else prompt[_start_of_new(prompt) :])
    wanted = frozenset().union(*rules)
    shown = [
        (name[1], attributes, templates_in(text))
        for attributes, text in _SIMILAR.findall(prompt)
        if (name := _ID.search(attributes))
    ]
    if not wanted and (empty := next((entry[0] for entry in shown if not entry[2]), None)):
        return decision("discard", empty, reason="neither teaches a template")
    target = max(shown, key=lambda entry: len(wanted & entry[2]), default=None)
    if target is None or not wanted & target[2]:
        return decision("insert", reason="no entry shown has this template")
    elsewhere = frozenset().union(*(templates for _, _, templates in shown)) - target[2]
    solved = fresh is not None and "golden" in fresh[0].split(">")[0] and "warning" in target[1]
    return decision(
        "merge",
        target[0],
        [number for number, templates in enumerate(rules, 1) if not templates & elsewhere],
        "new" if solved else "existing",
        "the same template is there; its example is added",
    )


def templates_in(text: str) -> frozenset[str]:
    """The templates written in a text, letter by letter."""
    return frozenset(lesson.template for lesson in lessons_in([text]))


def _templates_by_rule(text: str) -> list[frozenset[str]]:
    return [templates_in(rule) for rule in _RULE.findall(text) or [text]]


def _start_of_new(prompt: str) -> int:
    """Where the new experience begins when nothing marks it: after the last similar entry."""
    ends = [match.end() for match in _SIMILAR.finditer(prompt)]
    return max(ends, default=0)


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


def select(messages: Messages, model: str) -> str:
    """The candidates that share most words and 4-grams with the query; rare words count more."""
    prompt = prompted(messages)[0]
    found = _CANDIDATE.findall(prompt) or _NUMBERED.findall(prompt)
    candidates = {int(number): text.lower() for number, text in found}
    query = (section(prompt, "query") or prompt[-500:]).lower()
    # Where no word is shared (a bare SMILES against plain methods) the order of the search stands.
    chosen = (ranked(query, candidates) or list(candidates))[: _limit(prompt)]
    return f'{WHO} I compare words only.\n```json\n{{"selected": {json.dumps(chosen)}}}\n```'


def ranked(query: str, candidates: dict[int, str]) -> list[int]:
    """The numbers of the candidates that share about as much with the query as the best does, best first."""
    words = {number: set(_WORD.findall(text)) for number, text in candidates.items()}
    scores = dict.fromkeys(candidates, 0.0)
    for word in sorted(set(_WORD.findall(query))):
        _credit(scores, [number for number in candidates if word in words[number]], 1.0)
    for gram in sorted({query[i : i + GRAM] for i in range(len(query) - GRAM + 1)}):
        _credit(scores, [number for number, text in candidates.items() if gram in text], 1 / 20)
    shared = [number for number in candidates if scores[number] > ENOUGH * max(scores.values())]
    return sorted(shared, key=lambda number: (-round(scores[number], 9), number))


def _credit(scores: dict[int, float], holders: list[int], weight: float) -> None:
    for number in holders:
        scores[number] += weight * log(1 + len(scores) / len(holders))


def _limit(prompt: str) -> int:
    said = re.search(r"\d+", section(prompt, "limit", "top_k") or "") or re.search(r"at most (\d+)", prompt)
    return int(said[said.lastindex or 0]) if said else TOP_K
