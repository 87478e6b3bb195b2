"""How a command runs and how it ends: what it may print, Ctrl-C, one clear line and an exit code."""

import contextlib
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from flex.errors import FlexError, SettingsError, Unusable
from flex.text import for_terminal

if TYPE_CHECKING:
    from flex.concurrency import Stop

RESUME = "The same command goes on from here."


class _Shown:
    """A stream to a person: control characters of other people's texts are shown, not sent."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        start = "\r" if text.startswith("\r") else ""  # how a progress bar is drawn
        self._stream.write(start + for_terminal(text.removeprefix("\r")))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def show_safely() -> None:
    """Let whoever reads the output take every text.

    What an encoding has no sign for, or what a terminal would obey, becomes an escape.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        if stream is not None and not isinstance(stream, _Shown):
            setattr(sys, name, _Shown(stream))


Work = Callable[[], Coroutine[Any, Any, int] | int | None]


def run_command(work: Work, *, verbose: bool = False, resume: str = "") -> int:
    """Run a command to its exit code: one clear line for what a person can mend, a traceback only for a bug."""
    import asyncio  # here, because --help needs none of it

    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    # What of the data is left out, and what the endpoint changes of what it is asked, concerns everybody.
    for heard in ("flex.proteins", "flex.rate_limiter"):
        logging.getLogger(heard).setLevel(logging.INFO if verbose else logging.WARNING)
    for noisy in ("httpx2", "openai", "opentelemetry"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        done = work()
        code = asyncio.run(done) if isinstance(done, Coroutine) else done
        sys.stdout.flush()
        return code or 0
    except BrokenPipeError:
        return nobody_reads()
    except SettingsError as error:
        return ended(2, f"error: {error}")
    except Unusable as error:
        return ended(3, f"stopped: {error}")
    except (FlexError, OSError) as error:
        return ended(1, f"failed: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        return ended(130, f"stopped; everything finished so far is kept. {resume}".strip())


def nobody_reads() -> int:
    """A reader that has seen enough (`| head`) is no failure."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def ended(code: int, line: str) -> int:
    """Say in one line why a command ends; its exit code."""
    with contextlib.suppress(BrokenPipeError):
        print(" ".join(line.split()), file=sys.stderr)
    return code


def stopped(reason: str, resume: str) -> int:
    """Say why a run ended early and how it goes on; its exit code."""
    from flex.concurrency import INTERRUPTS

    return ended(
        130 if reason in INTERRUPTS.values() else 3, f"stopped: {reason}; everything paid for is kept. {resume}"
    )


@contextlib.contextmanager
def interruptible() -> "Iterator[Stop]":
    """A stop that the first Ctrl-C, SIGTERM or SIGHUP requests, so that what is under way ends; the second leaves."""
    import asyncio

    from flex.concurrency import INTERRUPTS, Stop

    stop, loop, task = Stop(), asyncio.get_running_loop(), asyncio.current_task()
    heard: list[str] = []
    terminals = [stream for stream in (sys.stdout, sys.stderr) if stream is not None and stream.isatty()]

    def interrupted(name: str) -> None:
        if name == "SIGHUP":
            _let_go(terminals)
        heard.append(name)
        stop.interrupt(why := INTERRUPTS[name])
        if len(heard) > 1 and task is not None:
            print("\nleaving at once", file=sys.stderr)
            task.cancel()
        else:
            print(f"\nfinishing what is under way; {why} again to leave at once", file=sys.stderr)

    with contextlib.ExitStack() as handled:
        for name in INTERRUPTS:
            number = getattr(signal, name, None)
            if number is None or (name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN):  # under nohup
                continue
            with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows, not the main thread: it ends us
                loop.add_signal_handler(number, interrupted, name)
                handled.callback(loop.remove_signal_handler, number)
        yield stop


def _let_go(terminals: Iterable[TextIO]) -> None:
    """Write no more to terminals that were closed: it would fail."""
    for terminal in terminals:
        os.dup2(os.open(os.devnull, os.O_WRONLY), terminal.fileno())


def script_name(script: str, command: str) -> str:
    """What a person has called: the script of that name, or the command."""
    return script if Path(sys.argv[0]).name == script else command
