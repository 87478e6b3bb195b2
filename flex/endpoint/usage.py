"""What calls cost, by role and model, whoever makes them: roles, tools, agents in other threads."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

from flex.types import Usage


class UsageTracker:
    """Usage by role and model; several threads may add to it."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str], Usage] = {}
        self._lock = Lock()

    def add(self, role: str, model: str, usage: Usage) -> None:
        with self._lock:
            self._spent[role, model] = self._spent.get((role, model), Usage()) + usage

    @property
    def by_role(self) -> dict[str, Usage]:
        return summed((role, usage) for (role, _), usage in self._snapshot())

    @property
    def by_model(self) -> dict[str, Usage]:
        return summed((model, usage) for (_, model), usage in self._snapshot())

    @property
    def total(self) -> Usage:
        return sum((usage for _, usage in self._snapshot()), Usage())

    def _snapshot(self) -> list[tuple[tuple[str, str], Usage]]:
        with self._lock:
            return list(self._spent.items())


def summed(pairs: Iterable[tuple[str, Usage]]) -> dict[str, Usage]:
    """The usage of each name together."""
    spent: dict[str, Usage] = {}
    for name, usage in pairs:
        spent[name] = spent.get(name, Usage()) + usage
    return spent


_task: ContextVar[UsageTracker | None] = ContextVar("flex_usage", default=None)


@contextmanager
def track_usage() -> Iterator[UsageTracker]:
    """A tracker of every call made within, and of no other; contexts carry it into tasks and threads."""
    tracker = UsageTracker()
    token = _task.set(tracker)
    try:
        yield tracker
    finally:
        _task.reset(token)


def record_usage(role: str, model: str, usage: Usage) -> None:
    """Add a call to the tracker that is open here, if any."""
    if (tracker := _task.get()) is not None:
        tracker.add(role, model, usage)
