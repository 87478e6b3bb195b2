"""Imports point down only, room by room: a room is a folder of `flex/` or a file at its top."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "flex"
FLOORS = """errors types text
chemistry telemetry concurrency files proteins
prompt search endpoint
library
replies explib rate_limiter benchmarks memory_tool testing
actor verifier critic updater memory_retriever
agents training
evaluation reject_sampling
report
runs
experiments
cli __main__ __init__"""
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS.splitlines()) for room in rooms.split()}
APPRENTICE = "apprentice"  # stands beside them: it knows the lowest floor, and only those who start it know it


@cache
def imports() -> set[tuple[str, str]]:
    """(room, room it imports from), imports within functions and for type checkers included."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path}: imports are absolute"
                names = [f"{node.module}.{name}" if node.module == "flex" else node.module for name in names]
            found |= {(room, name.split(".")[1]) for name in names if name.startswith("flex.")}
    return {(room, other) for room, other in found if room != other}


def test_imports_point_down():
    up = {(a, b) for a, b in imports() if APPRENTICE not in (a, b) and FLOOR[b] > FLOOR[a]}
    assert not up, "these rooms import from a floor above their own"
    assert {a for a, b in imports() if b == APPRENTICE} <= {"runs", "experiments", "cli"}
    assert {b for a, b in imports() if a == APPRENTICE} <= set(FLOORS.splitlines()[0].split())


def test_no_room_imports_in_a_circle():
    rooms = {room: [b for a, b in imports() if a == room] for room in {*FLOOR, APPRENTICE}}
    TopologicalSorter(rooms).prepare()  # raises CycleError, which names the circle
