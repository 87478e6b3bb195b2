"""Imports point down only: the layers of the package, and a place for every module in them."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "flex"

LAYERS = (
    "errors types shipped atomic clock",
    "parsing words prompt stopping bm25 terms templates chemistry concurrency ledger pacing dialects connection "
    "rate_limiter smiles vector_cache ranks formula residues",
    "history entry admission locks benchmarks contract bridge memory_tool library_file merging search "
    "disk_index disk_search statistics runlog telemetry otlp testing download leakage cost stores recording finding "
    "revisions channel fusion structure embeddings assays assay_text proteingym",
    "actor agent_actor agents executors verifier critic explib",
    "updater memory_retriever agentic_retriever reading meeting combining",
    "exploring evolution settings published power_law undistilled reject_sampling evaluation report export pictures",
    "cli __main__ flex",
)
"""From the bottom to the top; a package stands for all its modules, `flex` for the public names."""
STRANGERS = 3
"""In this layer modules do not import one another, but for these."""
ACQUAINTED = {("agent_actor", "agents"), ("agents", "executors")}
APPRENTICE = "apprentice"
"""Beside the layers: it knows the bottom one, and only the top one knows it."""

LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}
TOP = len(LAYERS) - 1


def module_of(path: Path) -> str:
    """The module's place in LAYERS: its first name below `flex`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "flex" if parts == ("__init__",) else parts[0]


def imported(source: str) -> set[str]:
    """What a module imports from `flex`, wherever in it, as places in LAYERS."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" if node.module == "flex" else node.module for alias in node.names}
    names = [name.split(".") for name in found if name and name.split(".")[0] == "flex"]
    return {parts[1] if len(parts) > 1 and exists(parts[1]) else "flex" for parts in names}


def exists(name: str) -> bool:
    return (PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir()


def forbidden(module: str, other: str) -> str:
    """Why `module` may not import `other`; nothing when it may."""
    if module == other:
        return ""
    if module == APPRENTICE:
        return "" if LEVEL[other] == 0 else "the apprentice knows only the bottom layer"
    if other == APPRENTICE:
        return "" if LEVEL[module] == TOP else "nobody but the command knows the apprentice"
    if LEVEL[other] > LEVEL[module]:
        return f"it is {LEVEL[other] - LEVEL[module]} layers up"
    if LEVEL[module] == LEVEL[other] == STRANGERS and (module, other) not in ACQUAINTED:
        return "the roles are strangers to one another"
    return ""


def test_every_module_has_a_place():
    homeless = {module_of(path) for path in PACKAGE.rglob("*.py")} - set(LEVEL) - {APPRENTICE}
    assert not homeless, f"give {sorted(homeless)} a layer in this test"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    module = module_of(path)
    wrong = {other: why for other in imported(path.read_text(encoding="utf-8")) if (why := forbidden(module, other))}
    assert not wrong, f"flex.{module} may not import: {wrong}"


@pytest.mark.parametrize(
    ("module", "other", "allowed"),
    [
        ("critic", "types", True),
        ("types", "critic", False),
        ("critic", "verifier", False),
        ("agents", "executors", True),
        ("executors", "agent_actor", False),
        ("evaluation", "apprentice", False),
        ("cli", "apprentice", True),
        ("apprentice", "errors", True),
        ("apprentice", "explib", False),
        ("explib", "flex", False),
    ],
)
def test_the_rule_itself(module, other, allowed):
    assert bool(forbidden(module, other)) is not allowed


def test_every_way_to_import_is_seen():
    source = "import flex.critic\nfrom flex import errors, ExpLib\ndef f():\n    from flex.benchmarks.base import x\n"
    assert imported(source) == {"critic", "errors", "flex", "benchmarks"}
