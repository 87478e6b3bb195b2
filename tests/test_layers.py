"""Imports point down only, room by room: a room is a folder of `flex/` or a file at its top."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "flex"
FLOORS = """errors types text
chemistry telemetry concurrency files proteins
prompt echo search endpoint
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
    modules = [(path.relative_to(PACKAGE).with_suffix("").parts[0], path) for path in PACKAGE.rglob("*.py")]
    nodes = [(room, node) for room, path in modules for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    found = {(room, name.name) for room, node in nodes if isinstance(node, ast.Import) for name in node.names}
    for room, node in ((room, node) for room, node in nodes if isinstance(node, ast.ImportFrom)):
        found |= {(room, f"{node.module}.{name.name}") for name in node.names}
    return {(a, b.split(".")[1]) for a, b in found if b.startswith("flex.") and a != b.split(".")[1]}


def test_imports_point_down_and_in_no_circle():
    assert not {(a, b) for a, b in imports() if APPRENTICE not in (a, b) and FLOOR[b] > FLOOR[a]}
    assert {a for a, b in imports() if b == APPRENTICE} <= {"runs", "experiments", "cli"}
    assert {b for a, b in imports() if a == APPRENTICE} <= set(FLOORS.splitlines()[0].split())
    TopologicalSorter({room: [b for a, b in imports() if a == room] for room in FLOOR}).prepare()  # or CycleError
