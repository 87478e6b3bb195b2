"""`flex lib` as a person calls it, and every way to call it wrongly."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flex.cli import main as flex
from flex.cli.lib import COMMANDS
from flex.explib import ExpLib
from flex.files.locks import held
from flex.library.changes import Author
from flex.types import Experience, Rule, UpdateDecision

ROOT = Path(__file__).parents[2]
AMIDE = Experience("Look for an amide.", (Rule("Cut the amide.", ("CC(=O)N",)),), "It was an amide.",
                   problem_category="amides", provenance={"tasks": ["t1"]}, id="exp-amide")  # fmt: skip
ESTER = Experience("Look for an ester.", (Rule("Cut the ester."),), "It was none.", "warning",
                   problem_category="esters", provenance={"tasks": ["t2"]}, id="exp-ester")  # fmt: skip
MORE = Experience("", (Rule("Mind the ring."),), "A ring.", provenance={"tasks": ["t3"]})


@pytest.fixture
def lib(tmp_path, monkeypatch) -> Path:
    """A library with two entries, three changes by two runs, and one experience in quarantine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    monkeypatch.setenv("COLUMNS", "100")
    library = ExpLib()
    library.add(AMIDE, Author({"run": "first", "model": "m"}))
    library.add(ESTER, Author({"run": "first", "model": "m"}))
    merge = UpdateDecision("merge", "exp-amide", (0,), reason="the ring is new")
    library.apply(MORE, merge, Author({"run": "second", "model": "m"}))
    library.apply(replace(MORE, id="exp-odd", method="Odd."), UpdateDecision("quarantine", reason="unreadable"))
    return library.save("lib.json")


def ok(capsys, *words) -> str:
    """What the command prints; it has to succeed."""
    code = flex(["lib", *map(str, words)])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return printed.out


def wrong(capsys, *words) -> str:
    """The one line on stderr of a command that has to be refused."""
    try:
        code = flex(["lib", *map(str, words)])
    except SystemExit as end:
        code = end.code
    printed = capsys.readouterr()
    assert (code, printed.err.count("\n")) == (2, 1), printed.err
    return printed.err


def test_show_counts_and_lists_entries(capsys, lib):
    shown = ok(capsys, "show", lib)
    assert "entries      2 (1 golden, 1 warning, 0 mixed)" in shown
    assert "quarantined  1; see them: flex lib quarantine lib.json" in shown
    assert "exp-amide       golden   r2   2 rules   amides" in shown
    assert "over caps    none" in shown


def test_show_filters_and_searches(capsys, lib):
    assert "exp-amide " not in ok(capsys, "show", lib, "--zone", "warning").split("\n\n")[1]
    assert "exp-ester " not in ok(capsys, "show", lib, "--category", "amides").split("\n\n")[1]
    assert "no entries match" in ok(capsys, "show", lib, "--category", "ketones")
    found = json.loads(ok(capsys, "show", lib, "--search", "ester", "--top_k", "1", "--json"))
    assert [(one["id"], one["revision"]) for one in found["entries"]] == [("exp-ester", 1)]


def test_show_names_entries_over_the_caps(capsys, lib):
    library = ExpLib(lib)
    for number in range(4):
        rules = tuple(Rule(f"Rule {n}.") for n in range(20 + number))
        library.add(replace(AMIDE, id=f"exp-large-{number}", rules=rules))
    library.save()
    shown = ok(capsys, "show", lib)
    assert "over caps    exp-large-0: 20 rules" in shown
    assert "; and 1 more\n" in shown


def test_show_prints_an_entry_as_it_is_and_as_it_was(capsys, lib):
    page = ok(capsys, "show", lib, "exp-a")
    assert page.startswith("exp-amide  golden, priority 1, revision 2 of 2, change 3\n")
    assert "  2. Mind the ring.\n" in page
    assert "from         tasks t1, t3\nmerged in    tasks t3\n" in page
    assert "ring" not in ok(capsys, "show", lib, "exp-amide", "--rev", "1")


def test_show_wraps_what_is_long(capsys, lib):
    library = ExpLib(lib)
    library.add(replace(AMIDE, id="exp-long", method="word " * 60, problem_category="category " * 30))
    library.save()
    assert max(map(len, ok(capsys, "show", lib, "exp-long").splitlines())) <= 100
    assert max(map(len, ok(capsys, "show", lib).split("\n\n")[1].splitlines())) <= 100


def test_log_tells_who_changed_what_and_why_newest_first(capsys, lib):
    lines = ok(capsys, "log", lib).splitlines()
    assert [line.split()[0] for line in lines] == ["4", "3", "2", "1"]
    assert lines[1] == ("    3  2026-01-01T00:00:00  merge       exp-amide       "
                        "the ring is new; by second, m; task t3")  # fmt: skip
    assert len(ok(capsys, "log", lib, "exp-amide").splitlines()) == 2
    assert len(ok(capsys, "log", lib, "--run", "first", "--n", "1").splitlines()) == 1
    assert json.loads(ok(capsys, "log", lib, "exp-amide", "--json"))[0]["before"]["id"] == "exp-amide"


def test_diff_shows_two_revisions_or_two_libraries(capsys, lib):
    assert "+rule 2: Mind the ring." in ok(capsys, "diff", lib, "exp-amide")
    assert "-rule 2: Mind the ring." in ok(capsys, "diff", lib, "exp-amide", "--rev", "2", "1")
    library = ExpLib(lib)
    library.remove("exp-ester")
    library.add(replace(ESTER, id="exp-new"))
    library.apply(replace(MORE, rules=(Rule("Later."),)), UpdateDecision("merge", "exp-amide", (0,)))
    library.save("other.json")
    shown = ok(capsys, "diff", lib, "other.json")
    assert shown.startswith("0 the same, 1 changed, 1 only in lib.json, 1 only in other.json\n- exp-ester")
    assert "+ exp-new" in shown
    assert "+rule 3: Later." in shown


def test_blame_names_run_change_and_tasks_of_every_part(capsys, lib):
    shown = ok(capsys, "blame", lib, "exp-amide").splitlines()
    lines = {line.split(": ")[0].split("  ")[-1].strip(): line for line in shown}
    assert lines["rule 1"].split()[:6] == ["r1", "change", "1", "first", "m", "t1"]
    assert lines["rule 2"].split()[:6] == ["r2", "change", "3", "second", "m", "t3"]
    told = json.loads(ok(capsys, "blame", lib, "exp-amide", "--json"))
    assert [(one["part"], one["change"]) for one in told if one["part"] == "rule 2"] == [("rule 2", 3)]


@pytest.mark.parametrize("suffix", [".json", ".db"])
def test_rollback_goes_back_and_forth(capsys, lib, suffix):
    path = lib.with_suffix(suffix)
    if suffix == ".db":
        ok(capsys, "export", lib, path)
    before = list(ExpLib(path))
    said = ok(capsys, "rollback", path, 2, "--yes")
    assert "to undo, 2 changes of 2 entries" in said
    assert [len(entry.rules) for entry in ExpLib(path)] == [1, 1]
    ok(capsys, *said.splitlines()[-1].split("flex lib ")[1].split(" brings")[0].split(), "--yes")
    assert list(ExpLib(path)) == before
    assert ExpLib(path).history()[-1].by == {"command": "flex lib rollback"}


def test_rollback_asks_and_takes_no_for_an_answer(capsys, lib, monkeypatch):
    before = lib.read_bytes()
    assert "--yes does it unasked" in ask(capsys, lib, monkeypatch, terminal=False)[1]
    assert "nothing was changed" in ask(capsys, lib, monkeypatch, "n")[0]
    assert lib.read_bytes() == before
    assert "undone" in ask(capsys, lib, monkeypatch, "y")[0]
    assert lib.read_bytes() != before


def ask(capsys, lib, monkeypatch, answer="", *, terminal=True) -> tuple[str, str]:
    """What a rollback says when it is answered so."""
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: terminal})())
    monkeypatch.setattr("builtins.input", lambda prompt: answer)
    flex(["lib", "rollback", str(lib), "0"])
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_what_is_removed_can_be_brought_back(capsys, lib):
    said = ok(capsys, "remove", lib, "exp-ester", "--reason", "it misleads")
    assert said == "removed exp-ester; flex lib rollback lib.json 4 brings it back\n"
    assert "it misleads" in ok(capsys, "log", lib, "exp-ester")
    assert "was taken out by change 5; --rev 1 shows it" in wrong(capsys, "show", lib, "exp-ester")
    assert "Cut the ester." in ok(capsys, "show", lib, "exp-ester", "--rev", "1")


def test_the_quarantine_is_listed_taken_in_or_dropped(capsys, lib):
    assert ok(capsys, "quarantine", lib) == "exp-odd         unreadable: Odd.\n"
    copy = Path("copy.json")
    copy.write_bytes(lib.read_bytes())
    ok(capsys, "quarantine", lib, "--insert", "exp-odd")
    ok(capsys, "quarantine", copy, "--drop", "exp-odd")
    assert [("exp-odd" in ExpLib(path), ExpLib(path).quarantined) for path in (lib, copy)] == [(True, ()), (False, ())]
    assert ok(capsys, "quarantine", copy) == "nothing is quarantined\n"
    assert ExpLib(copy).history()[-2].action == "discard"


def test_merge_reports_what_met_what(capsys, lib):
    for name, rule in (("a", "From a."), ("b", "From b.")):
        library = ExpLib(lib)
        library.apply(replace(MORE, rules=(Rule(rule),)), UpdateDecision("merge", "exp-amide", (0,)))
        library.save(f"{name}.json")
    said = ok(capsys, "merge", "a.json", "b.json", lib, "--out", "all.db")
    assert "both sides     exp-amide  4 rules, +1 to those of a\n" in said
    assert "2 entries: 1 both sides, 1 identical\n2 changes imported; a rollback to change 5 gives a again" in said
    assert said.endswith("library: 2 experiences in all.db\n")
    assert [rule.rule for rule in ExpLib("all.db").get("exp-amide").rules][-2:] == ["From a.", "From b."]
    reports = json.loads(ok(capsys, "merge", "a.json", "a.json", "--out", "same.json", "--json"))
    assert reports[0]["counts"] == {"identical": 2}


def test_split_writes_a_library_for_each_category(capsys, lib):
    ok(capsys, "split", lib, "--by", "category", "--out", "parts")
    parts = {path.name: ExpLib(path) for path in Path("parts").glob("*.json")}
    assert {name: [entry.id for entry in part] for name, part in parts.items()} == {
        "amides.json": ["exp-amide"],
        "esters.json": ["exp-ester"],
        "none.json": [],
    }
    assert parts["none.json"].quarantined == ExpLib(lib).quarantined


def test_categories_with_like_names_do_not_share_a_file(capsys, lib):
    library = ExpLib(lib)
    library.add(replace(AMIDE, id="exp-other", problem_category="Amides!"))
    library.save()
    ok(capsys, "split", lib, "--by", "category", "--out", "parts")
    assert {path.stem for path in Path("parts").glob("*.json")} == {"amides", "amides-2", "esters", "none"}


def test_export_to_a_database_and_back_loses_nothing(capsys, lib):
    ok(capsys, "export", lib, "lib.db")
    ok(capsys, "export", "lib.db", "back.json")
    assert Path("back.json").read_bytes() == lib.read_bytes()


def test_export_can_choose_entries_and_leave_the_history(capsys, lib):
    ok(capsys, "export", lib, "golden.json", "--zone", "golden", "--no_history")
    data = json.loads(Path("golden.json").read_text())
    assert [len(entries) for entries in data["library"].values()] == [1, 0, 0]
    assert "history" not in data


def test_export_writes_lines_and_pages(capsys, lib):
    ok(capsys, "export", lib, "lib.jsonl")
    ok(capsys, "export", lib, "page.txt", "--format", "markdown")
    assert [json.loads(line)["id"] for line in Path("lib.jsonl").read_text().splitlines()] == ["exp-amide", "exp-ester"]
    page = Path("page.txt").read_text()
    assert "## Warning: learned from failed attempts (1)\n\n### exp-ester: esters\n\nLook for an ester.\n\n" in page
    assert "\n\nRules, on what went wrong and on what is right:\n\n1. Cut the ester.\n" in page


def test_what_went_wrong_and_what_is_right_stand_apart_under_their_numbers(capsys, lib):
    library = ExpLib("lib.json")
    rules = (Rule("Cut the ring.", (), "avoid"), Rule("Cut the ester.", (), "instead"), Rule("Heat.", (), "avoid"))
    library.add(Experience("Look.", rules, zone="warning", id="exp-new"))
    library.save()
    shown = ok(capsys, "show", lib, "exp-new")
    assert "Avoid\n  1. Cut the ring.\n  3. Heat.\n\nRight instead\n  2. Cut the ester.\n" in shown
    ok(capsys, "export", lib, "page.md", "--format", "markdown")
    page = Path("page.md").read_text()
    assert "\nAvoid:\n\n1. Cut the ring.\n3. Heat.\n\nRight instead:\n\n2. Cut the ester.\n" in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dance"], "no command 'lib dance'; choose from show, log, diff"),
        (["show", "none.json"], "the library none.json does not exist"),
        (["show", "lib.json", "exp-x"], "no entry 'exp-x' in lib.json; see them: flex lib show lib.json"),
        (["show", "lib.json", "exp-"], "3 ids begin with 'exp-': exp-amide, exp-ester, exp-odd"),
        (["show", "lib.json", "exp-odd"], "exp-odd was never in the library; see flex lib quarantine lib.json"),
        (["show", "lib.json", "exp-amide", "--rev", "9"], "exp-amide has no revision 9; it has 2"),
        (["show", "lib.json", "--rev", "1"], "--rev is of an entry"),
        (["show", "lib.json", "--zone", "grey"], "invalid choice: 'grey'"),
        (["log", "lib.json", "--n", "0"], "'0' is not a whole number from 1"),
        (["diff", "lib.json", "exp-ester"], "exp-ester has one revision only"),
        (["diff", "lib.json", "lib.json", "--rev", "1", "2"], "--rev is of an entry"),
        (["rollback", "lib.json", "99", "--yes"], "there is no change 99"),
        (["rollback", ".", "0", "--yes"], ". is a folder; name the library"),
        (["remove", "lib.json", "exp-amide"], "required: --reason"),
        (["remove", "lib.json", "exp-odd", "--reason", "x"], "no experience 'exp-odd'"),
        (["quarantine", "lib.json", "--insert", "exp-amide"], "no experience 'exp-amide' is quarantined"),
        (["merge", "lib.json", "--out", "x.json"], "name two libraries or more"),
        (["merge", "lib.json", "lib.json", "--out", "lib.json"], "--out lib.json exists and is not empty"),
        (["split", "lib.json", "--by", "zone", "--out", "."], "--out . exists and is not empty"),
        (["split", "lib.json", "--by", "colour", "--out", "x"], "invalid choice: 'colour'"),
        (["export", "lib.json", "notes"], "add --format"),
        (["export", "lib.json", "x.db", "--format", "json"], "x.db cannot be of format json"),
        (["export", "lib.json", "lib.json"], "PATH lib.json exists and is not empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_and_changes_nothing(capsys, lib, words, message):
    before = lib.read_bytes()
    assert message in wrong(capsys, *words)
    assert [path.name for path in Path().iterdir()] == ["lib.json"]
    assert lib.read_bytes() == before


def test_an_empty_file_may_be_written_over(capsys, lib):
    Path("empty.json").touch()
    ok(capsys, "export", lib, "empty.json")
    assert Path("empty.json").read_bytes() == lib.read_bytes()


def test_a_library_that_somebody_writes_is_not_changed(lib):
    before = lib.read_bytes()
    with held(lib):
        done = run("remove", "lib.json", "exp-amide", "--reason", "x")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is being written by process" in done.stderr
    assert lib.read_bytes() == before


def run(*words) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "flex", "lib", *words], capture_output=True, text=True, timeout=300)


def test_a_reader_that_has_seen_enough_is_no_failure(lib):
    piped = f"set -o pipefail; {sys.executable} -m flex lib show lib.json | true"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as end:
        flex(["lib", command, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: flex lib {command} ")


def test_help_names_every_command_and_imports_nothing_heavy():
    code = (
        "import sys; from flex.cli import main; main(['lib', '--help'])\n"
        "print({'openai', 'numpy', 'rdkit', 'flex.explib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert "rollback" in done.stdout
    assert done.stdout.endswith("set()\n")


def test_a_narrow_encoding_gets_escapes_rather_than_a_traceback(tmp_path):
    library = ExpLib(tmp_path / "a.json", create=True)
    library.add(Experience("Über → 试", rules=(Rule("r"),), problem_category="试"))
    library.save()
    done = subprocess.run(
        [sys.executable, "-m", "flex", "lib", "show", str(tmp_path / "a.json")],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": "cp1252"}, timeout=300,
    )  # fmt: skip
    assert (done.returncode, b"\\u8bd5" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    "command", [["show"], ["show", "ID"], ["log"], ["blame", "ID"], ["show", "no\x1b[31m\u202esuch"]]
)
def test_no_text_of_others_makes_a_terminal_obey(tmp_path, capsys, command):
    library = ExpLib()
    text = "\x1b[31mred\x07 \x9b2J \u202egnp.exe"
    made = library.add(Experience(text, (Rule(text, (text,)),), text, problem_category=text))
    library.save(tmp_path / "lib.json")
    words = [made.id if word == "ID" else word for word in command]
    flex(["lib", words[0], str(tmp_path / "lib.json"), *words[1:]])
    said = "".join(capsys.readouterr())
    assert not set(said) & set("\x1b\x07\x9b\u202e")
