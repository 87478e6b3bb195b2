"""A wish to stop that is heard between tasks: nothing new is begun, what is under way ends and is kept."""

from collections.abc import Callable

INTERRUPTED = "Ctrl-C"


class Stop:
    """Asked before every task; `watch` is a further thing to ask, such as a budget: why to stop, or None."""

    def __init__(self, watch: Callable[[], str | None] = lambda: None) -> None:
        self._watch = watch
        self._reason: str | None = None

    def request(self, reason: str) -> None:
        """Wish to stop; the first reason counts."""
        self._reason = self._reason or reason

    @property
    def reason(self) -> str | None:
        """Why nothing new is to be begun, None while all is well."""
        if self._reason is None:
            self._reason = self._watch()
        return self._reason
