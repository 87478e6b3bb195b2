"""What can go wrong, and who can mend it.

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
