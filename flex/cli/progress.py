"""What a person sees of a run that goes on: a bar in a terminal, elsewhere a line every half minute."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping

Counts = Mapping[str, int | str]

EVERY = 30.0
"""Seconds between lines."""
AT_ONCE = 1.0
"""Seconds in which what an earlier call has done is counted; it says nothing about the pace."""


@contextlib.contextmanager
def progress_bar(title: str, steps: int, unit: str) -> Iterator[Callable[[Counts], None]]:
    """Progress on stderr, with the counts of the last step and how long the steps that are left will take."""
    if sys.stderr is None or not sys.stderr.isatty():
        with contextlib.closing(_Lines(title, steps, unit)) as lines:
            yield lines.step
        return
    from tqdm import tqdm

    with tqdm(total=steps, desc=title or None, unit=unit) as bar:

        def step(counts: Counts) -> None:
            bar.set_postfix(counts, refresh=False)
            bar.update(1)

        yield step


class _Lines:
    """A line on stderr whenever EVERY seconds have passed, whether or not there was a step."""

    def __init__(self, title: str, steps: int, unit: str) -> None:
        self._title, self._steps, self._unit = title, steps, unit
        self._done = self._known = 0
        self._counts: Counts = {}
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._timer = self._loop.call_later(EVERY, self._say)

    def step(self, counts: Counts) -> None:
        self._done += 1
        self._counts = dict(counts)
        if self._loop.time() - self._began < AT_ONCE:
            self._known = self._done

    def close(self) -> None:
        self._timer.cancel()

    def _say(self) -> None:
        elapsed = self._loop.time() - self._began
        new = self._done - self._known
        left = f"about {_duration(elapsed * (self._steps - self._done) / new)} left" if new else "none came yet"
        counts = ", ".join(f"{name} {count}" for name, count in self._counts.items())
        said = f"{self._done} of {self._steps} {self._unit}s" + f" ({counts})" * bool(counts)
        title = f"{self._title}: " if self._title else ""
        with contextlib.suppress(BrokenPipeError):
            print(f"{title}{said}, {_duration(elapsed)} so far, {left}", file=sys.stderr, flush=True)
        self._timer = self._loop.call_later(EVERY, self._say)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
