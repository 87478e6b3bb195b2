"""A task is a bulkhead: what goes wrong in it costs that task and no other, unless it concerns the run as such.

foreseen      the endpoint failed for good (unanswered), it refused the task, an agent broke off, a reply broke
              its contract
unforeseen    any other exception: a defect of ours, or of a library's; told with its traceback
of the run    no money, no such model, a full disk (Unusable): it ends the run; settings, memory: raised at once
"""

import errno
import sqlite3
import traceback
from dataclasses import dataclass
from typing import Self

from flex.errors import EndpointError, MachineUnusable, ParseError, SettingsError, TaskRefused, Unusable
from flex.text import one_line

_ERRNOS = {errno.ENOSPC, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, getattr(errno, "EDQUOT", errno.ENOSPC)}
_SQLITE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


@dataclass(frozen=True, slots=True)
class Setback:
    """What went wrong in a task."""

    error: Exception

    @classmethod
    def of(cls, error: Exception) -> Self:
        """The setback that an error is. Raises SettingsError and MemoryError, which are no task's."""
        if machine_fails(error):
            error = MachineUnusable(str(error))
        if isinstance(error, SettingsError | MemoryError):
            raise error
        return cls(error)

    def __str__(self) -> str:
        return f"{type(self.error).__name__}: {self.error}" if self.unforeseen else str(self.error)

    @property
    def ends_run(self) -> Unusable | None:
        """The error, when none of the other tasks can be done either."""
        return self.error if isinstance(self.error, Unusable) else None

    @property
    def unanswered(self) -> bool:
        """Whether there is no answer for a reason that is not the task's."""
        return isinstance(self.error, Unusable | EndpointError) and not isinstance(self.error, TaskRefused)

    @property
    def unforeseen(self) -> bool:
        return not isinstance(self.error, Unusable | EndpointError | ParseError)

    @property
    def filtered(self) -> bool:
        return isinstance(self.error, TaskRefused) and self.error.filtered

    @property
    def reason(self) -> str:
        """It in the few words that it is counted under."""
        return self.error.reason if isinstance(self.error, EndpointError) else one_line(str(self), 120)

    @property
    def traceback(self) -> str:
        """Where an error that nobody foresaw came up; empty for any other."""
        return "".join(traceback.format_exception(self.error)) if self.unforeseen else ""


def machine_fails(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is a full or broken disk or the like."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _ERRNOS:
            return True
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE:
            return True
        error = error.__cause__ if error.__cause__ is not error else None
    return False
