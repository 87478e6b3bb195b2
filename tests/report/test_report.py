import json
import shutil
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pytest

from flex.errors import RunError
from flex.evaluation.folder import read_run
from flex.evaluation.results import Result
from flex.files.jsonlines import to_jsonable
from flex.report import problems, tables, write_report
from flex.report.drawings import Drawings
from flex.report.safe_text import json_island, shortened, visible
from flex.types import Usage

HOSTILE = (
    "<script>alert(1)</script></script><script>alert(2)</script></style><img src=http://127.0.0.1:9/x onerror=alert(3)>"
    "<!-- <a href='javascript:alert(4)'>{{ 7 * 7 }}{% raw %}\u2028\x00\ud800\u202eevil\u2066 ]]> &lt; ${alert(5)} "
    '"><svg/onload=alert(6)> <base href=//127.0.0.1:9/> <meta http-equiv=refresh content=0>'
)


def row(index=0, *, correct=True, setting="flex", repeat=0, **changed):
    values = {
        "task_id": f"math-{index}",
        "index": index,
        "repeat": repeat,
        "question": f"What is {index} + 1?",
        "target": str(index + 1),
        "answer": str(index + 1) if correct else "0",
        "score": float(correct),
        "correct": correct,
        "error": None,
        "setting": setting,
        "seconds": 1.5,
        "usage": Usage(calls=2, prompt_tokens=100, completion_tokens=20),
    }
    return Result(**{**values, **changed})


def put(folder: Path, name: str, rows, *, traces=None, summary=None, config=None) -> Path:
    """The files of one setting, as `evaluate` writes them."""
    target = folder / name
    target.mkdir(parents=True)
    target.joinpath("results.jsonl").write_text("".join(json.dumps(to_jsonable(each)) + "\n" for each in rows))
    if summary is not None:
        target.joinpath("summary.json").write_text(json.dumps(summary))
    if config is not None:
        target.joinpath("config.json").write_text(json.dumps(config))
    process = folder / f"{name}_process"
    for stem, trace in (traces or {}).items():
        process.mkdir(exist_ok=True)
        process.joinpath(f"{stem}.json").write_text(json.dumps(trace))
    return target


def compared(folder: Path, *comparisons, benchmark="math", **more) -> Path:
    content = {"benchmark": benchmark, "model": "m", "settings": {}, "comparisons": list(comparisons), **more}
    folder.joinpath("summary.json").write_text(json.dumps(content))
    return folder


def comparison(a="flex", b="agent", difference=0.5, low=0.1, high=0.9, verdict="better", p=0.01):
    return {"a": a, "b": b, "difference": difference, "low": low, "high": high, "p": p, "verdict": verdict}


def trace(text="what the entry says", task="math-0"):
    hit = {"experience_id": "golden-1", "score": 1.0, "level": "method", "rank": 1, "rule": None}
    return {
        "task_id": task,
        "steps": [{"step": 1, "output": text, "code": text, "observation": text, "error": text}],
        "retrievals": [{"query": text, "hits": [hit], "text": text}],
        "reasoning": text,
    }


def page(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


def island(html: str):
    return json.loads(html.split('id="data">')[1].split("</script>")[0])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two settings of three problems; the second was solved by flex only, the third failed."""
    flex = [row(0), row(1), row(2, correct=False, error="429, six times", answer=None)]
    put(tmp_path, "flex", flex, traces={"0": trace()}, config={"prompts": {"actor": "ab12"}, "temperature": 0.5})
    agent = [row(0, setting="agent"), row(1, setting="agent", correct=False), row(2, setting="agent")]
    put(tmp_path, "agent", agent, config={"prompts": {"actor": "ab12"}, "temperature": 0.7})
    return compared(tmp_path, comparison())


def test_the_headline_says_the_difference_its_interval_and_the_verdict(run):
    assert tables.headline(read_run(run)).replace("\u00a0", " ") == (
        "flex solves 66.7 % of 3 math problems, agent 66.7 %: "
        "a difference of +50.0 points (95 % interval +10.0 to +90.0): better."
    )


def test_the_verdict_is_printed_as_it_stands_in_the_summary(run):
    words = "no difference shown (n = 3 detects >= 79 points)"
    compared(run, comparison(low=-0.1, verdict=words))
    html = page(run)
    assert words.replace(">", "&gt;") in html
    assert '<b class="verdict">better' not in html


def test_a_folder_of_one_script_makes_a_page_too(tmp_path):
    html = page(put(tmp_path, "results", [row(0), row(1, correct=False)]))
    assert "flex solves 50.0\u00a0% of 2 problems (95\u00a0% interval 9.5 to 90.5)." in html
    assert "Paired differences" not in html


def test_settings_without_comparisons_are_only_listed(run):
    (run / "summary.json").unlink()
    headline = tables.headline(read_run(run))
    assert headline.startswith("agent solves")
    assert "difference" not in headline


def test_what_a_summary_says_counts_rather_than_the_rows(tmp_path):
    numbers = {"n": 9, "repeats": 1, "correct": 9, "accuracy": 1.0, "low": 0.7, "high": 1.0, "failed": 0}
    put(tmp_path, "flex", [row()], summary=numbers)
    assert read_run(tmp_path).settings[0].summary.n == 9


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("results.jsonl", None, "holds no results"),
        ("results.jsonl", '{"repeat": 0}\n', "cannot be read back: task_id"),
        ("results.jsonl", '{"task_id": "x", "repeat": 0}\n', "cannot be read back: index"),
        ("summary.json", "[]", "is not what a run writes"),
        ("summary.json", "{", "cannot read"),
        ("summary.json", '{"comparisons": [{"a": "flex"}]}', "Difference cannot be read back: difference"),
    ],
)
def test_what_is_no_run_is_refused_in_one_line(tmp_path, name, content, message):
    if content is not None:
        tmp_path.joinpath("results.jsonl").write_text(json.dumps(to_jsonable(row())) + "\n")
        tmp_path.joinpath(name).write_text(content)
        if "comparisons" in content:
            put(tmp_path, "flex", [row()])
    with pytest.raises(RunError, match=message):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_money_nobody_knows_is_unknown_and_never_zero(run):
    assert {tables.cost_cells(setting.summary)[2] for setting in read_run(run).settings} == {"unknown"}
    compared(run, cost={"settings": {"flex": {"usd": 3.0}, "agent": {"usd": None}}})
    agent, flex = (tables.cost_cells(setting.summary) for setting in read_run(run).settings)
    assert flex[:3] == ["180", "1.5000", "3.00"]
    assert agent[1:3] == ["unknown", "unknown"]


def test_no_correct_answer_has_no_price(tmp_path):
    put(tmp_path, "flex", [row(correct=False)])
    assert tables.cost_cells(read_run(tmp_path).settings[0].summary)[0] == "no correct answer"


def test_failures_are_counted_by_their_reason(run):
    ((setting, _, errors),) = tables.failures(read_run(run))
    assert (setting, errors) == ("flex", {"429, six times": 1})


def test_what_the_leakage_guard_hid_is_counted(tmp_path):
    rows = [row(0, hidden=("g-1", "g-2")), row(1, hidden=("g-1",)), row(2)]
    put(tmp_path, "flex", rows)
    html = page(tmp_path)
    assert "2 experiences were hidden from 2 of 3 problems" in html


def test_a_problem_opens_into_all_that_is_known_of_it(run):
    data = island(page(run))
    record = data["problems"][0]
    answer = record["answers"]["1"][0]
    assert data["settings"] == ["agent", "flex"]
    assert (record["question"], record["target"], answer["answer"]) == ("What is 0 + 1?", "1", "1")
    assert answer["steps"][0]["observation"] == "what the entry says"
    assert answer["retrievals"][0]["hits"] == ["golden-1"]
    assert data["texts"][answer["retrievals"][0]["text"]] == "what the entry says"


def test_a_trace_of_another_task_is_not_shown(tmp_path):
    put(tmp_path, "flex", [row()], traces={"0": trace(task="math-77")})
    assert "steps" not in island(page(tmp_path))["problems"][0]["answers"]["0"][0]


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([], "a"),
        ([row()], "y"),
        ([row(correct=False)], "n"),
        ([row(), row(correct=False, repeat=1)], "m5"),
        ([row(correct=False, score=0.44)], "m4"),
        ([row(), row(correct=False, repeat=1, error="gone")], "f"),
    ],
)
def test_a_mark_says_what_came_of_a_problem(rows, state):
    assert problems.cell(rows).state == state


def test_molecules_are_drawn_once_and_shared(tmp_path):
    rows = [
        row(0, question="CCOC(C)=O", target="CCO.CC(=O)Cl", answer="CC(=O)Cl.OCC"),
        row(1, question="not a molecule"),
    ]
    put(tmp_path, "flex", rows)
    html = page(compared(tmp_path, benchmark="retro"))
    record = island(html)["problems"][0]
    assert record["target_drawn"] == record["answers"]["0"][0]["answer_drawn"] != record["question_drawn"]
    assert html.count("<symbol") == 2
    assert "question_drawn" not in island(html)["problems"][1]


def test_rows_with_points_get_a_scatter():
    drawings = Drawings()
    assert drawings.scatter([(0.0, 1.0), (1.0, 2.0), (float("nan"), 0.0)]) == "d0"
    assert "M34.0 166.0h0M292.0 8.0h0" in drawings.symbols[0].content
    assert drawings.scatter([(0.0, 0.0)]) is None


def test_texts_are_visible_and_bounded():
    assert visible("a\x00\u202eb\ud800\r\nc") == "a\u2400[U+202E]b[U+D800]\nc"
    assert shortened("x" * 1_000_000, 100) == "x" * 75 + "\n[... 999,900 characters left out ...]\n" + "x" * 25
    assert json.loads(json_island({"a": "</script><!--\u2028&"})) == {"a": "</script><!--\u2028&"}
    assert not set("<>&\u2028") & set(json_island({"a": "</script><!--\u2028&"}))


def test_a_page_stays_small_and_says_what_it_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(problems, "BUDGET", 40_000)
    monkeypatch.setattr(problems, "BRIEF_BUDGET", 20_000)
    rows = [row(i, correct=i != 30, question="long " * 300) for i in range(60)]
    put(tmp_path, "flex", rows)
    html = page(tmp_path)
    records = island(html)["problems"]
    assert len(html.encode()) < 80_000
    assert 0 < sum(bool(record and record["full"]) for record in records) < 60
    assert records[30]["full"], "what failed comes first"
    assert "the files beside it hold everything" in html


def hostile(folder: Path) -> Path:
    """A run in which every text that is not ours attacks the page."""
    big = HOSTILE + "A" * 1_000_000
    attack = {
        "question": HOSTILE,
        "target": HOSTILE,
        "answer": big,
        "reply": big,
        "hits": (HOSTILE,),
        "hidden": (HOSTILE,),
    }
    name = "<script>alert(7)<{{ 1 }}\u202e&"
    for setting in (name, "flex"):
        rows = [
            row(0, setting=setting, **attack, metrics={HOSTILE: 1.0}),
            row(1, setting=setting, correct=False, **{**attack, "answer": None}, error=HOSTILE),
        ]
        summary = {
            "n": 2, "repeats": 1, "correct": 1, "accuracy": 0.5, "low": 0.1, "high": 0.9, "failed": 1,
            "metrics": {HOSTILE: 1.0}, "benchmark": HOSTILE, "model": HOSTILE,
        }  # fmt: skip
        config = {HOSTILE: {HOSTILE: HOSTILE}, "prompts": {HOSTILE: HOSTILE}}
        put(
            folder,
            setting,
            rows,
            summary=summary,
            config=config,
            traces={"0": trace(big), "1": trace(HOSTILE, "math-1")},
        )
    return compared(folder, comparison(name, "flex", verdict=HOSTILE), model=HOSTILE)


def test_nothing_in_a_run_becomes_markup(tmp_path):
    html = page(hostile(tmp_path))
    assert html.count("<script") == html.count("</script") == 2
    assert html.count("<style") == html.count("</style") == 1
    assert not any(bad in html for bad in ("<img", "<base", "<a ", "<!--", "\x00", "\u202e", "\u2028", "javascript:a<"))
    assert html.count("<meta http-equiv") == 1
    assert "{{ 7 * 7 }}" in html


def test_the_page_asks_for_nothing_outside(run):
    html = unescape(page(run))
    assert "default-src 'none'; script-src 'sha256-" in html
    assert not any(
        way in html for way in ("http://127", "https://", "@import", "url(", " src=", "innerHTML", " style=")
    )


def find_chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("needs a chromium in PATH, e.g. apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser):
    """Open a report; what happens that should not is in `.noise`."""
    pages = []

    def open_report(folder: Path, **context):
        tab = browser.new_context(viewport={"width": 1280, "height": 900}, **context).new_page()
        pages.append(tab)
        noise: list[str] = []
        tab.on("console", lambda message: noise.append(message.text))
        tab.on("pageerror", lambda error: noise.append(str(error)))
        tab.on("dialog", lambda dialog: (noise.append(dialog.message), dialog.dismiss()))
        tab.on("request", lambda request: noise.append(request.url) if request.url != target else None)
        target = write_report(folder).as_uri()
        tab.goto(target)
        return SimpleNamespace(tab=tab, noise=noise)

    yield open_report
    for tab in pages:
        tab.context.close()


def test_a_hostile_run_executes_nothing_and_keeps_the_layout(opened, tmp_path):
    report = opened(hostile(tmp_path))
    tab = report.tab
    for place in range(4):
        tab.locator("#matrix button").nth(place).click()
        for fold in tab.query_selector_all("dialog summary"):
            fold.click()
        assert tab.locator("dialog script, dialog img, dialog a").count() == 0
        tab.keyboard.press("Escape")
    tab.set_viewport_size({"width": 360, "height": 780})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    tab.locator("#matrix button").first.click()
    assert tab.evaluate("document.querySelector('#body').scrollWidth") <= 360
    assert report.noise == []


def eventually(tab, read, wanted) -> None:
    """The browser handles keys and focus in its own time."""
    for _ in range(2000):
        if (found := read()) == wanted:
            return
        tab.wait_for_timeout(50)
    assert found == wanted


def test_keys_alone_open_a_problem_and_come_back(opened, run):
    report = opened(run)
    tab = report.tab
    tab.locator("#matrix button").first.focus()
    focused = "document.activeElement.getAttribute('aria-label')"
    start = tab.evaluate(focused)
    for key in ("ArrowRight", "ArrowDown"):
        tab.keyboard.press(key)
    eventually(tab, lambda: tab.evaluate(focused) != start, True)
    tab.keyboard.press("Enter")
    eventually(tab, lambda: tab.locator("#dialog-title").inner_text(), "Problem 1")
    eventually(tab, lambda: tab.locator("#tabs [aria-pressed=true]").inner_text(), "flex")
    eventually(tab, lambda: "What is 1 + 1?" in tab.locator("#body").inner_text(), True)
    tab.locator("#next").press("Enter")
    eventually(tab, lambda: "429, six times" in tab.locator("#body").inner_text(), True)
    tab.keyboard.press("Escape")
    eventually(tab, lambda: tab.evaluate(focused), "2 flex: failed")
    assert report.noise == []


def test_dark_is_dark_and_a_filter_shows_what_differs(opened, run):
    report = opened(run, color_scheme="dark")
    background = report.tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(20, 23, 26)"
    report.tab.get_by_label("settings differ 1").check()
    assert report.tab.locator("#matrix .p:visible").count() == 1
    assert report.noise == []
