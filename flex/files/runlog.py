"""One JSON line per event of a run; read back to resume.

runs/first/config.json    what makes this run this run, written once
runs/first/events.jsonl   {"event": "explored", "time": "2026-01-31T12:00:00+00:00", "task": {...}, ...}
"""

import importlib.metadata
import json
import platform
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from flex.errors import RunError, SettingsError, Unusable
from flex.files.atomic import write_json
from flex.files.clock import now
from flex.files.jsonlines import JsonLines, strict_json, to_jsonable
from flex.files.locks import Lock

T = TypeVar("T")
FREE_KEYS = frozenset({"created_at", "versions", "command", "pacing"})
"""Keys of a configuration that may differ when a run is resumed: they do not change what it finds."""
PACKAGES = ("flex-experience", "openai", "smolagents", "rdkit", "pydantic-monty")
"""Those whose versions may change a run's results."""


class RunLog:
    """A run's folder: its configuration and its events."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._events = JsonLines(self.folder / "events.jsonl")
        self._lock = Lock(self.folder / ".lock")
        self._fresh = False

    def start(self, config: Mapping[str, Any], *, free: Collection[str] = FREE_KEYS) -> bool:
        """Write config.json, or check that the one there is of this run; True when there is something to resume.

        Top-level keys named in `free` may differ. Raises RunError naming the first key that differs and both values;
        nothing is changed then.
        """
        path = self.folder / "config.json"
        config = to_jsonable(config)
        if path.exists():
            for key, old, new in _differences(self._read(path), config):
                if key.split(".")[0] not in free:
                    raise RunError(f"{path} is of another run: {key} was {old}, is now {new}; choose another folder")
        elif any((self.folder / name).exists() for name in ("events.jsonl", "results.jsonl", "replies.db")):
            raise RunError(f"{self.folder} holds results of something else (no config.json); choose another folder")
        resumed = path.exists()
        try:
            make_private(self.folder)
            if not self._lock.take():
                raise RunError(f"{self.folder} is being written by another process")
            if not resumed:
                write_json(path, config)
        except OSError as error:
            raise RunError(f"cannot write to {self.folder}: {error}") from error
        self._fresh = not resumed
        return resumed

    def forget(self) -> None:
        """Take back what `start` wrote when nothing came of the run; files of a run that holds something stay."""
        if self._fresh and not any(
            (self.folder / name).exists() for name in ("events.jsonl", "results.jsonl", "replies.db")
        ):
            self.close()
            for name in ("config.json", "library_at_start.json"):
                (self.folder / name).unlink(missing_ok=True)
            with suppress(OSError):  # somebody else's files may be in it
                self.folder.rmdir()

    def write(self, event: str, **values: Any) -> None:
        """Log one event; values of flex/types.py are fine."""
        self._events.append({"event": event, "time": now(), **values})

    def events(self, event: str | None = None) -> list[dict[str, Any]]:
        """What was logged, in order; only events of one name if it is given."""
        return [row for row in self._events if event is None or row.get("event") == event]

    def read(self, kind: Callable[[dict[str, Any]], T]) -> list[T]:
        """What `kind` makes of every event. Raises RunError naming the line of which it makes nothing."""
        return self._events.read(kind)

    def sync(self) -> None:
        """Bring the events to the disk; once per batch."""
        self._events.sync()

    def close(self) -> None:
        self._events.close()
        self._lock.free(remove=True)

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, SettingsError | Unusable):
            self.forget()
        self.close()

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            config = strict_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise RunError(f"cannot read {path}: {error}; nothing was changed") from error
        if not isinstance(config, dict):
            raise RunError(f"{path} is not a run's configuration; nothing was changed")
        return config


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may read, unless it is there: prompts and replies are nobody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def run_config(
    *, models: Mapping[str, str], prompts: Mapping[str, str], seed: int | None = None, **settings: Any
) -> dict[str, Any]:
    """What goes into config.json: `models` by role, `prompts` as name -> sha256, package versions, and the settings."""
    return {
        "created_at": now(),
        "models": dict(models),
        "prompts": dict(prompts),
        "seed": seed,
        **settings,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages that results may depend on, those that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _differences(there: Any, here: Any, key: str = "") -> Iterator[tuple[str, str, str]]:
    """(dotted key, old value, new value) wherever two configurations differ."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for name in [*there, *(name for name in here if name not in there)]:
            inner = f"{key}.{name}" if key else name
            yield from _differences(there.get(name, _ABSENT), here.get(name, _ABSENT), inner)
    elif there != here:
        yield key, _shown(there), _shown(here)


_ABSENT = object()


def _shown(value: Any) -> str:
    return "not set" if value is _ABSENT else json.dumps(value, ensure_ascii=False)
