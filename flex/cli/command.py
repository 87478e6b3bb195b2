"""How a command runs and how it ends: progress, Ctrl-C, one clear line and an exit code."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flex.errors import FlexError, SettingsError, Unusable

if TYPE_CHECKING:
    from flex.concurrency import Stop

RESUME = "The same command goes on from here."


Work = Callable[[], Coroutine[Any, Any, int] | int | None]


def run_command(work: Work, *, verbose: bool = False, resume: str = "") -> int:
    """Run a command to its exit code: one clear line for what a person can mend, a traceback only for a bug."""
    import asyncio  # here, because --help needs none of it

    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("flex.proteins").setLevel(logging.WARNING)  # what of the data is left out concerns everybody
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
    from flex.concurrency import INTERRUPTED

    return ended(130 if reason == INTERRUPTED else 3, f"stopped: {reason}; everything paid for is kept. {resume}")


@contextlib.contextmanager
def interruptible() -> "Iterator[Stop]":
    """A stop that the first Ctrl-C requests, so that what is under way ends; the second leaves at once."""
    import asyncio

    from flex.concurrency import INTERRUPTED, Stop

    stop, loop, task = Stop(), asyncio.get_running_loop(), asyncio.current_task()
    interrupts: list[None] = []

    def interrupted() -> None:
        interrupts.append(None)
        stop.request(INTERRUPTED)
        if len(interrupts) > 1 and task is not None:
            print("\nleaving at once", file=sys.stderr)
            task.cancel()
        else:
            print("\nfinishing what is under way; Ctrl-C again to leave at once", file=sys.stderr)

    try:
        loop.add_signal_handler(signal.SIGINT, interrupted)
    except (NotImplementedError, RuntimeError):  # Windows, or not the main thread: Ctrl-C leaves at once
        yield stop
        return
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextlib.contextmanager
def progress_bar(title: str, steps: int, unit: str) -> Iterator[Callable[[Mapping[str, int]], None]]:
    """A bar on stderr, where that is a terminal, with counts behind it."""
    from tqdm import tqdm

    with tqdm(total=steps, desc=title or None, unit=unit, disable=None) as bar:

        def step(counts: Mapping[str, int]) -> None:
            bar.set_postfix(counts, refresh=False)
            bar.update(1)

        yield step


def script_name(script: str, command: str) -> str:
    """What a person has called: the script of that name, or the command."""
    return script if Path(sys.argv[0]).name == script else command
