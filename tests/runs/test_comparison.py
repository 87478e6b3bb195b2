"""Which comparison counts, when it was named, and what is said where answers are missing; on rows made here."""

import json
from pathlib import Path

import pytest

from flex.benchmarks import get_benchmark
from flex.cli.compare import main as compare_command
from flex.cli.table import main as table_command
from flex.cli.tables import results_table
from flex.errors import SettingsError
from flex.evaluation.folder import read_run
from flex.evaluation.results import Result
from flex.evaluation.summary import summarize
from flex.files.jsonlines import to_jsonable
from flex.report import write_report
from flex.report.tables import headline
from flex.runs import EvalRun, compare
from flex.runs.comparison import compare_settings
from flex.runs.eval_run import with_primary
from flex.types import Usage

TASKS = 100


def answer(task: int, setting: str, *, correct: bool, unanswered: bool = False) -> Result:
    return Result(
        task_id=f"math-{task}", index=task, repeat=0, question="q", target="1", answer=None if unanswered else "1",
        score=float(correct), correct=correct, error="no money" if unanswered else None, setting=setting, seconds=0.0,
        usage=Usage(), unanswered=unanswered,
    )  # fmt: skip


def put(folder: Path, setting: str, solved: int, *, unanswered: int = 0, **config) -> Path:
    """A finished setting that solves the first tasks and has no answer to the last ones."""
    rows = [answer(n, setting, correct=n < solved, unanswered=n >= TASKS - unanswered) for n in range(TASKS)]
    place = folder / setting
    place.mkdir(parents=True)
    (place / "results.jsonl").write_text("".join(json.dumps(to_jsonable(row)) + "\n" for row in rows))
    (place / "config.json").write_text(json.dumps({"setting": setting, "benchmark": "math", **config}))
    summary = summarize(rows, get_benchmark("math"), setting=setting, model="m")
    (place / "summary.json").write_text(json.dumps(summary.to_json()))
    return place


def table(folder: Path, **changes) -> Path:
    """flex beats agent by 20 points and vanilla by 40; whatever order they were asked in."""
    for setting, solved in (("vanilla", 10), ("agent", 30), ("flex", 50)):
        put(folder, setting, solved, **changes)
    (folder / "summary.json").write_text(json.dumps({"settings": {"agent": {}, "flex": {}, "vanilla": {}}}))
    return folder


def test_the_order_is_that_of_the_run_with_the_primary_comparison_first(tmp_path):
    found = compare(table(tmp_path))
    assert list(found.settings) == ["agent", "flex", "vanilla"]
    assert [d.name for d in found.comparisons] == ["flex - agent (primary)", "flex - vanilla", "agent - vanilla"]
    assert [d.verdict for d in found.comparisons] == ["better", "better", "not tested"]
    assert found.primary is found.comparisons[0]


@pytest.mark.parametrize("primary", ["flex,vanilla", ["flex", "vanilla"]])
def test_what_the_run_was_begun_with_counts_and_another_one_comes_afterwards(tmp_path, primary):
    table(tmp_path, primary=["agent", "vanilla"])
    assert compare(tmp_path).primary.name == "agent - vanilla (primary)"
    assert compare(tmp_path, primary="agent,vanilla").primary.role == "primary"
    late = compare(tmp_path, primary=primary)
    assert late.primary.name == "flex - vanilla (named afterwards)"
    assert {d.role for d in late.comparisons[1:]} == {"secondary"}, "it has no privilege, and nothing is left out"


def test_naming_the_default_is_not_naming_afterwards(tmp_path):
    assert compare(table(tmp_path), primary="flex,agent").primary.role == "primary"
    assert compare(tmp_path / "flex", tmp_path / "vanilla", primary="vanilla,flex").primary.name == (
        "vanilla - flex (primary)"
    )


def test_settings_of_several_runs_are_compared_by_what_they_agree_on(tmp_path):
    put(tmp_path / "a", "flex", 50, primary=["flex", "vanilla"])
    put(tmp_path / "b", "agent", 30)
    put(tmp_path / "c", "vanilla", 10, primary=None)
    assert compare(tmp_path / "a", tmp_path / "b", tmp_path / "c").primary.b == "vanilla"
    put(tmp_path / "d", "vanilla", 10, primary=["agent", "vanilla"])
    assert compare(tmp_path / "a", tmp_path / "b", tmp_path / "d").primary.b == "agent"


@pytest.mark.parametrize("value", ["flex", {"a": 1}, [1, 2], [{}, []], ["flex"], -3, True])
def test_a_configuration_that_names_nothing_usable_names_nothing(tmp_path, value):
    found = compare(table(tmp_path, primary=value, margin=value))
    assert (found.primary.name, found.primary.margin) == ("flex - agent (primary)", 0.01 if value is True else 0.02)


def test_controls_alone_share_the_error_rate(tmp_path):
    table(tmp_path)
    put(tmp_path, "icl", 12)
    found = compare(*(tmp_path / name for name in ("vanilla", "icl", "agent")))
    assert found.primary is None
    assert {d.role for d in found.comparisons} == {"secondary"}


def test_a_margin_named_afterwards_is_said_to_be(tmp_path):
    for name in ("flex", "agent"):
        put(tmp_path, name, 50, margin=5.0)
    assert compare(tmp_path).primary.verdict == "no worse than 5 points"
    assert compare(tmp_path, margin=5).primary.verdict == "no worse than 5 points"
    assert compare(tmp_path, margin=6).primary.verdict == "no worse than 6 points (margin named afterwards)"
    assert compare(tmp_path).primary.margin == 0.05


@pytest.mark.parametrize("primary", ["", "flex", "flex,flex", "flex,agent,vanilla", "flex,magic"])
def test_a_primary_comparison_is_two_of_the_settings(tmp_path, primary, capsys):
    table(tmp_path)
    with pytest.raises(SettingsError, match="primary has to be two of agent, flex, vanilla, such as flex,agent, not"):
        compare(tmp_path, primary=primary)
    assert compare_command([str(tmp_path), "--primary", primary]) == 2
    with pytest.raises(SettingsError, match="primary has to be two of the settings vanilla, agent, flex"):
        EvalRun(benchmark="math", model="m", primary=primary)


@pytest.mark.parametrize("margin", [0, -1.0, float("nan")])
def test_a_margin_of_nothing_is_refused(margin, tmp_path):
    with pytest.raises(SettingsError, match="margin has to be a number of points above 0"):
        compare(table(tmp_path), margin=margin)


@pytest.mark.parametrize("margin", ["0", "-1", "nan", "two"])
def test_a_margin_is_a_number_above_zero(margin, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        compare_command([str(table(tmp_path)), "--margin", margin])
    assert "is not a number above 0" in capsys.readouterr().err


def test_a_run_that_goes_on_keeps_the_comparison_it_was_begun_with(tmp_path):
    run = EvalRun(benchmark="math", model="m", settings=("vanilla", "agent", "flex"))
    begun = table(tmp_path, primary=["flex", "vanilla"], margin=3.0)
    folders = [begun / name for name in run.settings]
    assert with_primary(run, folders).primary == ("flex", "vanilla")
    assert with_primary(run, folders).margin == 3.0
    fresh = with_primary(run, [tmp_path / "nowhere"])
    assert (fresh.primary, fresh.margin) == (("flex", "agent"), 2.0)
    two = EvalRun(benchmark="math", model="m", settings=("agent", "flex"))
    assert with_primary(two, folders).primary == ("flex", "agent")
    named = EvalRun(benchmark="math", model="m", settings=run.settings, primary="agent,vanilla", margin=1)
    assert (with_primary(named, folders).primary, with_primary(named, folders).margin) == (("agent", "vanilla"), 1)


def test_a_table_with_many_unanswered_has_no_verdict_over_them(tmp_path, capsys):
    table(tmp_path)
    put(tmp_path, "icl", 10, unanswered=20)
    put(tmp_path, "flex-empty", 10, unanswered=2)
    put(tmp_path, "flex-shuffled", 0, unanswered=100)
    (tmp_path / "summary.json").unlink()
    assert compare_command([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    shown = {line[:30].strip(): line for line in lines}
    words = "no verdict: 20 of 100 pairs unanswered; the same command answers them"
    assert shown["flex - icl"].endswith(f"-         -  {words}"), "a p of 0.001 would be taken for a verdict"
    assert shown["flex - flex-empty"].endswith("better")
    assert shown["flex - flex-shuffled"].split()[3:7] == ["-"] * 4
    assert shown["flex - flex-shuffled"].endswith(
        "no verdict: 100 of 100 pairs unanswered; the same command answers them"
    )
    assert any(line.startswith("icl *  ") for line in lines)
    assert any(line.startswith("* icl: 20 of 100 unanswered") for line in lines)


def test_the_published_table_marks_what_is_incomplete(tmp_path, capsys):
    table(tmp_path)
    put(tmp_path, "icl", 10, unanswered=20)
    put(tmp_path, "flex-empty", 10, unanswered=20)
    assert table_command([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = next(n for n, line in enumerate(lines) if "measured here" in line)
    assert lines[place].count("*") == 1
    assert lines[place + 1] == "  * answers that never came: 20 of 100 in icl"


def test_pairs_are_the_tasks_that_both_have_answered(tmp_path):
    put(tmp_path, "flex", 50, unanswered=30)
    put(tmp_path, "agent", 10, unanswered=40)
    (found,) = compare(tmp_path).comparisons
    assert (found.tasks, found.pairs, found.unanswered) == (60, 100, 40)
    assert found.difference == pytest.approx(40 / 60)


def test_errors_of_earlier_versions_are_taken_for_the_endpoints(tmp_path):
    table(tmp_path)
    path = tmp_path / "flex" / "results.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    old = [{**row, "error": "429" if row["index"] > 89 else None} for row in rows]
    path.write_text("".join(json.dumps({k: v for k, v in row.items() if k != "unanswered"}) + "\n" for row in old))
    assert compare(tmp_path).primary.verdict.startswith("no verdict: 10 of 100 pairs unanswered")


def report_of(folder: Path) -> str:
    """The page and the headline on a folder's settings, compared now."""
    run = read_run(folder)
    rows = [d.to_json() for d in compare_settings({setting.name: setting for setting in run.settings})]
    content = {"settings": {setting.name: setting.summary.to_json() for setting in run.settings}, "comparisons": rows}
    (folder / "summary.json").write_text(json.dumps(content))
    return write_report(folder).read_text(encoding="utf-8")


def test_the_page_names_the_primary_comparison_and_folds_what_is_not_tested(tmp_path):
    html = report_of(table(tmp_path))
    chart, fold = html.split('id="differences"')[1].split("<details>")[:2]
    assert chart.index("primary comparison") < chart.index('flex <span class="quiet">vs</span> vanilla')
    assert "adjusted &lt; 0.001" in chart
    assert "1 more, not tested" in fold
    assert 'agent <span class="quiet">vs</span> vanilla' in fold
    assert "adjusted for all comparisons that are tested" in html
    assert headline(read_run(tmp_path)).endswith("(95\u00a0% interval +12.0 to +28.0): better.")


def test_the_page_marks_what_is_incomplete_and_says_no_number_over_it(tmp_path):
    put(tmp_path, "flex", 50)
    put(tmp_path, "agent", 30, unanswered=20)
    html = report_of(tmp_path)
    assert 'agent <b class="warn">incomplete</b>' in html
    assert "difference of" not in headline(read_run(tmp_path))
    assert headline(read_run(tmp_path)).endswith(
        "no verdict: 20 of 100 pairs unanswered; the same command answers them."
    )
    put(tmp_path, "flex-empty", 0, unanswered=100)
    assert "no verdict: 100 of 100 pairs" in report_of(tmp_path)


def test_the_picture_shows_what_is_tested(tmp_path):
    svg = compare(table(tmp_path)).plot()._repr_svg_()
    assert "flex - agent (primary)" in svg
    assert "agent - vanilla" not in svg


def test_how_often_the_library_was_consulted_is_a_column(tmp_path):
    found = compare(table(tmp_path))
    lines = results_table(found.settings, found.comparisons)
    assert "consulted" in lines[0]
    assert [line.split()[8] for line in lines[1:4]] == ["-", "0/100", "-"]
