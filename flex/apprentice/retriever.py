"""The retriever: it compares words only, chemistry stays with the actor."""

import json
import re
from math import log

from flex.apprentice.actor import WHO
from flex.apprentice.text import Messages, first_prompt, section

TOP_K = 5
GRAM = 4
ENOUGH = 0.5
"""Candidates with less than this share of the best score are left out: they share only words that all have."""

_CANDIDATE = re.compile(r"<candidate\b[^<>]*?(\d+)[^<>]*>(.*?)</candidate>", re.DOTALL | re.IGNORECASE)
_NUMBERED = re.compile(r"^[ \t]*\[?(\d+)[.):\]][ \t]*(.+?)(?=^[ \t]*\[?\d+[.):\]]|\Z)", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r"\w+")


def select(messages: Messages, model: str) -> str:
    """The candidates that share most words and 4-grams with the query; rare words count more."""
    prompt = first_prompt(messages)
    found = _CANDIDATE.findall(prompt) or _NUMBERED.findall(prompt)
    candidates = {int(number): text.lower() for number, text in found}
    query = (section(prompt, "query") or prompt[-500:]).lower()
    # Where no word is shared (a bare SMILES against plain methods) the order of the search is kept.
    chosen = (ranked(query, candidates) or list(candidates))[: _limit(prompt)]
    return f'{WHO} I compare words only.\n```json\n{{"selected": {json.dumps(chosen)}}}\n```'


def ranked(query: str, candidates: dict[int, str]) -> list[int]:
    """The numbers of the candidates that share about as much with the query as the best does, best first."""
    words = {number: set(_WORD.findall(text)) for number, text in candidates.items()}
    scores = dict.fromkeys(candidates, 0.0)
    for word in sorted(set(_WORD.findall(query))):
        _add(scores, [number for number in candidates if word in words[number]], 1.0)
    for gram in sorted({query[i : i + GRAM] for i in range(len(query) - GRAM + 1)}):
        _add(scores, [number for number, text in candidates.items() if gram in text], 1 / 20)
    shared = [number for number in candidates if scores[number] > ENOUGH * max(scores.values())]
    return sorted(shared, key=lambda number: (-round(scores[number], 9), number))


def _add(scores: dict[int, float], holders: list[int], weight: float) -> None:
    for number in holders:
        scores[number] += weight * log(1 + len(scores) / len(holders))


def _limit(prompt: str) -> int:
    stated = re.search(r"\d+", section(prompt, "limit", "top_k") or "") or re.search(r"at most (\d+)", prompt)
    return int(stated[stated.lastindex or 0]) if stated else TOP_K
