"""The README of every room is true: three lines, files that are there, and no import that it does not name."""

import re

import pytest

from tests.test_layers import APPRENTICE, FLOOR, FLOORS, PACKAGE, imports

ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
ALL = "every other room"


def lines_of(room: str) -> list[str]:
    return (PACKAGE / room / "README.md").read_text(encoding="utf-8").splitlines()


def allowed(room: str) -> set[str]:
    """What tests/test_layers.py lets a room import from."""
    if room == APPRENTICE:
        return set(FLOORS.splitlines()[0].split())
    below = {other for other, floor in FLOOR.items() if floor <= FLOOR[room]} - {room}
    return below | ({APPRENTICE} if room in ("runs", "experiments", "cli") else set())


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_in_three_lines_what_it_knows(room):
    starts = ("- Knows ", "- May import from ", "- Start reading at ")
    lines = lines_of(room)
    assert len(lines) == 3
    assert all(line.startswith(start) and line.endswith(".") for line, start in zip(lines, starts, strict=True))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_from_no_more_than_it_says(room):
    line = lines_of(room)[1]
    named = allowed(room) if ALL in line else set(re.findall(r"`(\w+)`", line))
    assert named <= allowed(room), "the floors do not allow this"
    assert {other for importer, other in imports() if importer == room} <= named, "name it in the README"


@pytest.mark.parametrize("room", ROOMS)
def test_the_files_to_start_with_are_there(room):
    names = re.findall(r"`([\w/]+\.py)`", lines_of(room)[2])
    assert names
    assert not [name for name in names if not (PACKAGE / room / name).is_file()]
