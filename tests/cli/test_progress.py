"""Progress where nobody looks: lines in a log instead of a bar."""

import asyncio

from flex.cli.progress import progress_bar
from tests.virtual_time import VirtualClock


def lines_of(capsys, steps):
    """What is said of 60 answers, `steps` of them each followed by some seconds."""

    async def work():
        with progress_bar("", 60, "answer") as step:
            for number, seconds in enumerate(steps, 1):
                step({"setting": "agent", "correct": number})
                await asyncio.sleep(seconds)

    VirtualClock().run(work())
    return capsys.readouterr().err.splitlines()


def test_without_a_terminal_there_is_a_line_every_half_minute_with_the_time_left_over_all_steps(capsys):
    lines = lines_of(capsys, [5] * 16)
    assert len(lines) == 2
    assert lines[0] == "6 of 60 answers (setting agent, correct 6), 30 s so far, about 5 min 24 s left"
    assert lines[1].startswith("12 of 60 answers (setting agent, correct 12), 1 min 00 s so far, about 4 min")


def test_an_endpoint_that_does_not_answer_is_said_too(capsys):
    assert lines_of(capsys, [100])[-1] == "1 of 60 answers (setting agent, correct 1), 1 min 30 s so far, none came yet"


def test_what_an_earlier_call_has_done_says_nothing_about_the_pace(capsys):
    (line,) = lines_of(capsys, [0] * 40 + [29, 2])
    assert line.endswith("about 9 min 00 s left")


def test_a_short_run_says_nothing(capsys):
    assert lines_of(capsys, [5]) == []
