"""What a piece of work costs, whoever makes the calls: roles, tools, agents in other threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from flex.types import Usage


class Ledger:
    """Usage by role."""

    def __init__(self) -> None:
        self.by_role: dict[str, Usage] = {}

    def add(self, role: str, usage: Usage) -> None:
        self.by_role[role] = self.by_role.get(role, Usage()) + usage

    @property
    def total(self) -> Usage:
        return sum(self.by_role.values(), Usage())


_open: ContextVar[Ledger | None] = ContextVar("flex_ledger", default=None)


@contextmanager
def ledger() -> Iterator[Ledger]:
    """A ledger that every call made within is charged to, and no other; contexts carry it into tasks and threads."""
    opened = Ledger()
    token = _open.set(opened)
    try:
        yield opened
    finally:
        _open.reset(token)


def charge(role: str, usage: Usage) -> None:
    """Add a call's usage to the ledger that is open here, if any."""
    if (opened := _open.get()) is not None:
        opened.add(role, usage)
