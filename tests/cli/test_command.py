"""What ends a command from outside: Ctrl-C, a scheduler, a terminal that is closed."""

import asyncio
import os
import signal
import sys

import pytest

from flex.cli.command import interruptible, run_command, stopped

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals leave at once there")
NAMES = [("SIGINT", "Ctrl-C"), ("SIGTERM", "SIGTERM"), ("SIGHUP", "SIGHUP")]


@pytest.fixture(autouse=True)
def under_no_nohup():
    """Whoever runs the suite under nohup has SIGHUP ignored, which a run respects."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("name", "reason"), NAMES)
def test_the_first_signal_asks_for_a_stop_and_the_second_leaves(name, reason, capsys):
    heard = []

    async def command() -> int:
        with interruptible() as stop:
            stop.when_interrupted(heard.append)
            os.kill(os.getpid(), getattr(signal, name))
            await asyncio.sleep(0.01)
            assert stop.reason == reason
            os.kill(os.getpid(), getattr(signal, name))
            await asyncio.sleep(60)
        return 0

    assert run_command(command, resume="Go on.") == 130
    said = capsys.readouterr().err
    assert f"finishing what is under way; {reason} again to leave at once" in said
    assert said.endswith("leaving at once\nstopped; everything finished so far is kept. Go on.\n")
    assert heard == [reason, reason]
    assert stopped(reason, "Go on.") == 130
    assert f"stopped: {reason}; everything paid for is kept. Go on." in capsys.readouterr().err


def test_under_nohup_a_closed_terminal_is_nothing():
    async def command() -> str | None:
        with interruptible() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0.01)
            return stop.reason

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert asyncio.run(command()) is None
    finally:
        signal.signal(signal.SIGHUP, before)
