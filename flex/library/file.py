"""The library file, format v2.0: parsed at the door, written atomically.

    {"version": "2.0", "created_at": ..., "config": {...},
     "library": {"golden": [entry, ...], "warning": [...], "mixed": [...]},
     "history": [change, ...], "before_history": {id: hash, ...}, "quarantine": [{entry, "reason": ...}, ...]}

What is not a library is a `LibraryError` that names file, entry and problem.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flex.errors import LibraryError
from flex.files.atomic import write_atomically
from flex.library.by_hand import before_history, hand_edits, read_before_history
from flex.library.entry import as_text, content_hash, derived_id, dump_entry, free_id, read_entry
from flex.library.history import dump_change, parse_history
from flex.types import ZONES, Change, Experience, Quarantined

VERSION = "2.0"
_FILE_KEYS = {"version", "created_at", "library", "config", "history", "before_history", "quarantine"}


@dataclass(frozen=True, slots=True)
class LibraryFile:
    """What a library file holds; `extra` are its unknown top-level keys."""

    experiences: tuple[Experience, ...]
    created_at: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Change, ...] = ()
    quarantine: tuple[Quarantined, ...] = ()


def read_library(path: Path) -> LibraryFile:
    """One library file; every experience has an id. LibraryError for what is no library, or of a newer format."""
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"), parse_constant=_no_constant)
    except FileNotFoundError as error:
        way_out = f"ExpLib({str(path)!r}, create=True) begins a new one"
        raise LibraryError(f"no experience library at {path}; {way_out}") from error
    except OSError as error:
        raise LibraryError(f"cannot read the experience library {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _not_a_library(path, f"not valid UTF-8 JSON ({error})") from error
    return parse_library(data, path)


def read_folder(folder: Path) -> LibraryFile:
    """All libraries (*.json) of a folder as one; an entry in two of them counts once. LibraryError if there is none."""
    paths = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    if not paths:
        raise LibraryError(f"no experience library (*.json) in the folder {folder}")
    files = [read_library(path) for path in paths]
    entries: dict[str, Experience] = {}
    for experience in (experience for file in files for experience in file.experiences):
        known = entries.get(experience.id)
        if known is None or (known.zone, content_hash(known)) != (experience.zone, content_hash(experience)):
            free = free_id(experience.id, entries.__contains__)
            entries[free] = replace(experience, id=free)
    extra = {key: value for file in reversed(files) for key, value in file.extra.items()}
    return LibraryFile(tuple(entries.values()), files[0].created_at, files[0].config, extra)


def parse_library(data: object, source: Path | str) -> LibraryFile:
    """The library in a decoded JSON value; `source` is named in errors (LibraryError).

    What was changed in it by hand stands at the end of its history as such.
    """
    if not isinstance(data, dict) or not isinstance(data.get("library"), dict):
        raise _not_a_library(source, 'it has to be an object with "library": {"golden": [...], ...}')
    check_version(data.get("version"), source)
    if unknown := sorted(set(data["library"]) - set(ZONES)):
        raise _not_a_library(source, f"unknown zone '{unknown[0]}'; choose from {', '.join(ZONES)}")
    config = {} if data.get("config") is None else data["config"]
    if not isinstance(config, dict):
        raise _not_a_library(source, '"config" has to be an object')
    entries = with_ids(tuple(_entries(data["library"], source)), source)
    extra = {k: v for k, v in data.items() if k not in _FILE_KEYS}
    try:
        history = parse_history(data.get("history"))
        if history:
            untouched = read_before_history(data.get("before_history"))
            history = (*history, *hand_edits(entries, history, untouched))
        quarantine = tuple(_quarantine(data.get("quarantine")))
        named = with_ids(tuple(held.experience for held in quarantine), source)
        quarantine = tuple(replace(held, experience=one) for held, one in zip(quarantine, named, strict=True))
    except LibraryError as error:
        raise _not_a_library(source, str(error)) from error
    return LibraryFile(entries, as_text(data.get("created_at")), config, extra, history, quarantine)


def dump_library(file: LibraryFile) -> str:
    """The text of a library file, newline at its end; the same library is the same text everywhere."""
    zones: dict[str, list[dict[str, Any]]] = {zone: [] for zone in ZONES}
    for experience in file.experiences:
        zones[experience.zone].append(dump_entry(experience))
    data = {"version": VERSION, "created_at": file.created_at, "library": zones, "config": file.config, **file.extra}
    if file.history:
        data["history"] = [dump_change(change) for change in file.history]
        data["before_history"] = before_history(file.experiences, file.history)
    if file.quarantine:
        data["quarantine"] = [{**dump_entry(held.experience), "reason": held.reason} for held in file.quarantine]
    return json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


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
            experience = replace(experience, id=free_id(derived_id(experience), taken.__contains__))
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
                yield read_entry(entry, zone)
            except LibraryError as problem:
                raise _not_a_library(source, f"{zone} entry {number}: {problem}") from problem


def _quarantine(values: object) -> Iterable[Quarantined]:
    if not isinstance(values, list | None):
        raise LibraryError('"quarantine" has to be a list of entries')
    for number, value in enumerate(values or (), start=1):
        try:
            entry = dict(value) if isinstance(value, dict) else {}
            reason = as_text(entry.pop("reason", ""))
            held = read_entry(entry, entry["memory_type"] if "memory_type" in entry else ZONES[0])
        except LibraryError as problem:
            raise LibraryError(f"quarantine entry {number}: {problem}") from problem
        yield Quarantined(held, reason)


def check_version(version: object, source: Path | str) -> None:
    """Raises LibraryError for a library of a newer format than this program's; none is of any."""
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


def _not_a_library(source: Path | str, problem: str) -> LibraryError:
    return LibraryError(f"{source} is not an experience library: {problem}; nothing was changed")
