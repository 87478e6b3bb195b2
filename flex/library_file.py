"""The library file, format v2.0: parsed at the door, written atomically.

    {"version": "2.0", "created_at": ..., "config": {...},
     "library": {"golden": [entry, ...], "warning": [...], "mixed": [...]}}

Published files vary: a method may be an object, a rule or an example a bare string, a list null. All of that becomes
an `Experience` here; what is not a library is a `LibraryError` that names file, entry and problem.
"""

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from flex.atomic import write_atomically
from flex.errors import LibraryError
from flex.types import ZONES, Experience, Rule, Zone

VERSION = "2.0"
_PRIORITIES = {"low": 1, "medium": 3, "high": 5}
_RULE_KEYS = "_rule_keys"
"""Where an entry's `extra` keeps unknown keys of its rules: rule text -> keys."""
_KNOWN = {"id", "method", "rules", "revised_trajectory", "memory_type", "problem_category", "priority"}
_KNOWN |= {"created_at", "usage_count", "last_used", "provenance", _RULE_KEYS}


@dataclass(frozen=True, slots=True)
class LibraryFile:
    """What a library file holds; `extra` are its unknown top-level keys."""

    experiences: tuple[Experience, ...]
    created_at: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


class _Problem(Exception):
    """What is wrong with one entry, in words; its place is added by whoever knows it."""


def read_library(path: Path) -> LibraryFile:
    """Read one library file; every experience comes back with an id.

    Raises LibraryError when it cannot be read, is not JSON, is of a newer format or is not an experience library.
    """
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"), parse_constant=_no_constant)
    except FileNotFoundError as error:
        raise LibraryError(f"no experience library at {path}; ExpLib() without a path makes an empty one") from error
    except OSError as error:
        raise LibraryError(f"cannot read the experience library {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _not_a_library(path, f"not valid UTF-8 JSON ({error})") from error
    return parse_library(data, path)


def read_folder(folder: Path) -> LibraryFile:
    """All libraries (*.json) of a folder, by name, as one; an entry that stands in two of them counts once.

    Raises LibraryError when there is none, or one that cannot be read.
    """
    paths = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    if not paths:
        raise LibraryError(f"no experience library (*.json) in the folder {folder}")
    files = [read_library(path) for path in paths]
    entries: dict[str, Experience] = {}
    for experience in (experience for file in files for experience in file.experiences):
        twin = entries.get(experience.id)
        if twin is None or (twin.zone, content_hash(twin)) != (experience.zone, content_hash(experience)):
            free = free_id(experience.id, entries)
            entries[free] = replace(experience, id=free)
    extra = {key: value for file in reversed(files) for key, value in file.extra.items()}
    return LibraryFile(tuple(entries.values()), files[0].created_at, files[0].config, extra)


def parse_library(data: object, source: Path | str) -> LibraryFile:
    """The library in a decoded JSON value; `source` is named in errors (LibraryError)."""
    if not isinstance(data, dict) or not isinstance(data.get("library"), dict):
        raise _not_a_library(source, 'it has to be an object with "library": {"golden": [...], ...}')
    _check_version(data.get("version"), source)
    if unknown := sorted(set(data["library"]) - set(ZONES)):
        raise _not_a_library(source, f"unknown zone '{unknown[0]}'; choose from {', '.join(ZONES)}")
    config = {} if data.get("config") is None else data["config"]
    if not isinstance(config, dict):
        raise _not_a_library(source, '"config" has to be an object')
    entries = tuple(_entries(data["library"], source))
    extra = {k: v for k, v in data.items() if k not in ("version", "created_at", "library", "config")}
    return LibraryFile(with_ids(entries, source), _text(data.get("created_at")), config, extra)


def dump_library(file: LibraryFile) -> str:
    """The text of a library file, newline at its end; the same library is the same text everywhere."""
    zones: dict[str, list[dict[str, Any]]] = {zone: [] for zone in ZONES}
    for experience in file.experiences:
        zones[experience.zone].append(dump_entry(experience))
    data = {"version": VERSION, "created_at": file.created_at, "library": zones, "config": file.config, **file.extra}
    return json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def parse_entry(entry: object, zone: Zone) -> Experience:
    """One entry of a file as an experience of `zone`; the list it stands in counts, not its `memory_type`.

    Raises LibraryError saying what is wrong with it.
    """
    try:
        return _parse_entry(entry, zone)
    except _Problem as problem:
        raise LibraryError(f"not an experience: {problem}") from problem


def dump_entry(experience: Experience) -> dict[str, Any]:
    """The entry as it stands in a file, with every key that other tools expect."""
    rule_keys = experience.extra.get(_RULE_KEYS, {})
    entry: dict[str, Any] = {
        "id": experience.id,
        "method": experience.method,
        "rules": [
            {"rule": r.rule, "examples": list(r.examples), **rule_keys.get(r.rule, {})} for r in experience.rules
        ],
        "revised_trajectory": experience.revised_trajectory,
        "memory_type": experience.zone,
        "problem_category": experience.problem_category,
        "priority": experience.priority,
        "created_at": experience.created_at,
        "usage_count": experience.usage_count,
        "last_used": experience.last_used,
    }
    if experience.provenance:
        entry["provenance"] = experience.provenance
    return entry | {key: value for key, value in experience.extra.items() if key not in _KNOWN}


def content_hash(experience: Experience) -> str:
    """A hash of what the experience says: method, rules with their examples, trajectory."""
    rules = [[rule.rule, *rule.examples] for rule in experience.rules]
    said = json.dumps([experience.method, rules, experience.revised_trajectory])
    return sha256(said.encode()).hexdigest()


def derived_id(experience: Experience) -> str:
    """An id that depends on nothing but what the experience says and the tasks it came from: `exp-3fa9c1d2e0`."""
    source = [content_hash(experience), experience.problem_category, experience.provenance.get("tasks", [])]
    return f"exp-{sha256(json.dumps(source).encode()).hexdigest()[:10]}"


def free_id(wanted: str, taken: Container[object]) -> str:
    """`wanted`, or the first of `wanted-2`, `wanted-3`, ... that is not taken."""
    number, free = 1, wanted
    while free in taken:
        number += 1
        free = f"{wanted}-{number}"
    return free


def with_ids(experiences: tuple[Experience, ...], source: Path | str) -> tuple[Experience, ...]:
    """Give an id to those that have none, the same on every machine; two equal ids in the file are a LibraryError."""
    taken: set[str] = set()
    for experience in experiences:
        if experience.id and experience.id in taken:
            raise _not_a_library(source, f"two entries have the id '{experience.id}'")
        taken.add(experience.id)
    named = []
    for experience in experiences:
        if not experience.id:
            experience = replace(experience, id=free_id(derived_id(experience), taken))
            taken.add(experience.id)
        named.append(experience)
    return tuple(named)


def write_library(path: Path, file: LibraryFile) -> None:
    """Put the library at `path`, all of it or nothing (LibraryError; then the old file is as it was)."""
    try:
        # A lone surrogate, which UTF-8 cannot hold, becomes \udc80: that is what JSON calls it.
        write_atomically(path, dump_library(file).encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise LibraryError(f"cannot write the library {path}: {error.strerror}; what was there is as it was") from error


def _entries(zones: dict[str, Any], source: Path | str) -> Iterable[Experience]:
    for zone in ZONES:
        entries = [] if zones.get(zone) is None else zones[zone]
        if not isinstance(entries, list):
            raise _not_a_library(source, f'"{zone}" has to be a list of entries')
        for number, entry in enumerate(entries, start=1):
            try:
                yield _parse_entry(entry, zone)
            except _Problem as problem:
                raise _not_a_library(source, f"{zone} entry {number}: {problem}") from problem


def _parse_entry(entry: object, zone: Zone) -> Experience:
    if not isinstance(entry, dict):
        raise _Problem(f"an entry has to be an object, not {_kind(entry)}")
    if entry.get("method") is None and entry.get("rules") is None:
        raise _Problem("it has neither a method nor rules")
    extra = {key: value for key, value in entry.items() if key not in _KNOWN}
    provenance = entry.get("provenance") or {}
    return Experience(
        method=_prose(entry.get("method"), "the method"),
        rules=_rules(entry.get("rules"), extra),
        revised_trajectory=_prose(entry.get("revised_trajectory"), "the trajectory"),
        zone=zone,
        problem_category=_text(entry.get("problem_category")),
        priority=_whole(entry.get("priority"), "priority", missing=1),
        id=_text(entry.get("id")),
        created_at=_text(entry.get("created_at")),
        usage_count=_whole(entry.get("usage_count"), "usage_count", missing=0),
        last_used=None if entry.get("last_used") is None else _text(entry["last_used"]),
        provenance=provenance if isinstance(provenance, dict) else {"source": provenance},
        extra=extra,
    )


def _rules(value: object, extra: dict[str, Any]) -> tuple[Rule, ...]:
    """Rules in any of the shapes they are published in; what else a rule says goes to `extra`."""
    if value is None:
        return ()
    rules = []
    for number, rule in enumerate(value if isinstance(value, list) else [value], start=1):
        if isinstance(rule, str):
            rule = {"rule": rule}
        if not isinstance(rule, dict) or not isinstance(rule.get("rule"), str | dict | list):
            raise _Problem(f'rule {number} has to be a text or {{"rule": ..., "examples": [...]}}, not {_kind(rule)}')
        rules.append(Rule(_text(rule["rule"]), _examples(rule.get("examples"))))
        if others := {key: item for key, item in rule.items() if key not in ("rule", "examples")}:
            extra[_RULE_KEYS] = {**extra.get(_RULE_KEYS, {}), rules[-1].rule: others}
    return tuple(rules)


def _examples(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(_text(example) for example in (value if isinstance(value, list) else [value]) if example is not None)


def _prose(value: object, name: str) -> str:
    if value is not None and not isinstance(value, str | dict | list):
        raise _Problem(f"{name} has to be text, not {_kind(value)}")
    return _text(value)


def _text(value: object) -> str:
    """Any JSON value as text a person can read; the same value is the same text everywhere."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\n".join(f"{str(key).replace('_', ' ').capitalize()}: {_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "\n".join(_text(item) for item in value)
    return "" if value is None else json.dumps(value)


def _whole(value: object, name: str, missing: int) -> int:
    if value is None:
        return missing
    if isinstance(value, str) and value.strip().lower() in _PRIORITIES:
        return _PRIORITIES[value.strip().lower()]
    try:
        return round(float(value)) if isinstance(value, str | float) else int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError) as error:
        raise _Problem(f"{name} has to be a number, not {value!r}") from error


def _check_version(version: object, source: Path | str) -> None:
    if version is None:
        return
    try:
        major = int(str(version).split(".")[0])
    except ValueError as error:
        raise _not_a_library(source, f"its version is {version!r}") from error
    if major > int(VERSION[0]):
        raise LibraryError(f"{source} is of format {version}; this program reads up to {VERSION}. Nothing was changed")


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(type(value), repr(value))


def _not_a_library(source: Path | str, problem: str) -> LibraryError:
    return LibraryError(f"{source} is not an experience library: {problem}; nothing was changed")
