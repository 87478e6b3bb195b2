"""What can go wrong, who can mend it, and what it costs: a `Setback` costs one task.

FlexError
├── SettingsError       the person running this: a flag, a key, a model name, a path      (exit 2)
│   ├── BenchmarkError  an unknown benchmark, or a data file that is not one
│   ├── PromptError     a prompt that is missing or asks for an unknown variable
│   ├── LibraryError    a file that is not an experience library
│   │   └── NoSuchEntry   an entry that is not in the library, or not any more
│   └── RunError        a results or run folder that belongs to another run
├── Unusable            no task is to blame, and none can be done: stops the run, which can be resumed  (exit 3)
│   ├── EndpointUnusable  the account, address, key or model as such
│   └── MachineUnusable   a full disk, too many open files
├── EndpointError       the endpoint failed for good; costs the task it happened in, which stays unanswered
│   └── TaskRefused     the endpoint refuses what this task sends: too long, filtered; the answer counts as wrong
└── ParseError          a model's reply that breaks its contract, even after it was shown what was wrong
"""

import errno
from dataclasses import dataclass
from typing import Self

from flex.text import one_line


class FlexError(Exception):
    """Anything this library raises on purpose; `str(error)` is one line for a person."""


class SettingsError(FlexError):
    """Something the person running this has to change; nothing was paid for or written."""


class BenchmarkError(SettingsError):
    """An unknown benchmark, or a data file whose rows are not its tasks."""


class PromptError(SettingsError):
    """A prompt file that is missing, is not a template or asks for an unknown variable."""


class LibraryError(SettingsError):
    """A file that cannot be read as an experience library, or a change that names no entry."""


class NoSuchEntry(LibraryError):
    """An entry that is not in the library; another trainer may have taken it out."""


class RunError(SettingsError):
    """A results or run folder that belongs to another run."""


class Unusable(FlexError):
    """Nothing more can be done, and no task is to blame.

    It stops a run, everything paid for is kept, and the same command goes on once it is mended.
    """


class EndpointUnusable(Unusable):
    """Nothing can be had from the endpoint: no money, no such key, address or model."""


class MachineUnusable(Unusable):
    """This machine is out of something: room on the disk, open files."""


class EndpointError(FlexError):
    """The endpoint failed for good; the task it happened in is recorded as unanswered.

    `reason` is the failure in the few words that it is counted under.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


class TaskRefused(EndpointError):
    """The endpoint refuses what this task sends, and would again: too long, or caught by its filter."""

    def __init__(self, message: str, reason: str = "", *, filtered: bool = False) -> None:
        super().__init__(message, reason)
        self.filtered = filtered


class ParseError(FlexError):
    """A reply that breaks its contract; the message is what the model is shown when it is asked again."""


_ERRNOS = {errno.ENOSPC, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, getattr(errno, "EDQUOT", errno.ENOSPC)}


@dataclass(frozen=True, slots=True)
class Setback:
    """What went wrong in a task: it costs that task and no other, unless it concerns the run as such.

    foreseen      the endpoint failed for good (unanswered), it refused the task, an agent broke off, a reply broke
                  its contract
    unforeseen    any other exception: a defect of ours, or of a library's; told with its traceback
    of the run    no money, no such model, a full disk (Unusable): it ends the run; settings, memory: raised at once
    """

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
        import traceback

        return "".join(traceback.format_exception(self.error)) if self.unforeseen else ""


def machine_fails(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is a full or broken disk or the like."""
    import sqlite3  # only when something went wrong

    full = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
    while error is not None:
        if isinstance(error, OSError) and error.errno in _ERRNOS:
            return True
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in full:
            return True
        error = error.__cause__ if error.__cause__ is not error else None
    return False
