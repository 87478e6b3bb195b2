"""The index on disk: the answers of the one in memory, whatever happened to the folder."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flex.search import disk_index
from flex.search.disk_index import DiskIndex
from flex.search.query import Filter, Match
from flex.search.text import SearchIndex
from flex.types import Experience


class Shelf:
    """A library as its index sees it: changes, and which revision of an entry is the latest."""

    def __init__(self, folder: Path, uid: str = "library") -> None:
        self.index = DiskIndex(folder, uid)
        self.changes: list[tuple[int, Experience]] = []
        self.numbers: dict[str, int] = {}

    def put(self, *experiences: Experience) -> None:
        for experience in experiences:
            self.changes.append((len(self.changes) + 1, experience))
            self.numbers[experience.id] = len(self.changes)

    def current(self, ids: Sequence[str]) -> dict[str, int]:
        return {one: self.numbers[one] for one in ids if one in self.numbers}

    def refresh(self) -> None:
        upto = self.index.upto
        self.index.update(len(self.changes), self.changes[upto:])

    def search(self, query: str, top_k: int = 5, **wanted) -> list[Match]:
        self.refresh()
        return self.index.search(query, top_k, Filter(**wanted), self.current)

    def found(self, query: str, top_k: int = 5, **wanted) -> list[str]:
        return [found.id for found in self.search(query, top_k, **wanted)]

    @property
    def documents(self) -> int:
        return self.index._index().searcher().num_docs


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "index")
    yield shelf
    settled(tmp_path / "index")


def settled(folder: Path) -> None:
    """Wait until nobody merges in the folder any more."""
    while True:
        with disk_index._alone(folder) as alone:
            if alone:
                return


def texts(**texts: str) -> list[Experience]:
    return [Experience(text, id=key) for key, text in texts.items()]


def test_words_formulas_and_smiles_find_their_entry(shelf: Shelf):
    shelf.put(
        *texts(
            geometry="Draw the triangle and its incircle.",
            number="n^2-19n+99 is a square: divide by x^2 and compare fields.",
            amide="Cut the amide O=C(C)Nc1ccccc1 <- CC(=O)O.Nc1ccccc1",
        )
    )
    for query in ("dividing", "$n^{2} - 19n + 99$", "n² − 19n + 99", 'AND ("unclosed [field:x^2 OR *'):
        assert shelf.found(query)[0] == "number"
    assert shelf.found("TRIANGLES")[0] == "geometry"
    assert shelf.found("CC(=O)Nc1ccccc1")[0] == "amide"


@pytest.mark.parametrize("query", ["", "   ", "zzzz qqqq", "\udc80", "$"])
def test_a_query_that_shares_nothing_finds_nothing(shelf: Shelf, query: str):
    assert shelf.found(query) == []
    shelf.put(*texts(a="some text"))
    assert shelf.found(query) == []


def test_what_no_text_file_could_hold_is_indexed(shelf: Shelf):
    shelf.put(
        Experience(
            "red \udc80 fish\0 \U0001d6fc\U0001d6fd\U0001d6fe\U0001d6ff", id='"\udc80\n ', problem_category="\udc80"
        )
    )
    assert shelf.found("fish", categories=["\udc80"]) == ['"\udc80\n ']
    assert shelf.found("\U0001d6fc\U0001d6fd\U0001d6fe\U0001d6ff") == ['"\udc80\n ']


some_words = st.sampled_from(
    ["ring", "triangle", "square", "c1ccccc1", "prime", "n^2", "modulo", "bond", "alpha", "beta"]
)
some_text = st.lists(some_words, min_size=1, max_size=8).map(" ".join)
some_entry = st.builds(
    Experience,
    some_text,
    id=st.sampled_from("abcdefghij"),
    zone=st.sampled_from(["golden", "warning"]),
    problem_category=st.sampled_from(["", "seas"]),
    priority=st.integers(-1, 3),
)
some_filter = st.sampled_from(
    [{}, {"zones": ["golden"]}, {"categories": ["seas"]}, {"min_priority": 2}, {"hidden": "abc"}]
)


@settings(max_examples=25)
@given(st.lists(some_entry, max_size=12, unique_by=lambda e: e.id), st.lists(some_text, min_size=5), some_filter)
def test_it_answers_like_the_index_in_memory(experiences: list[Experience], queries: list[str], wanted: dict):
    memory = SearchIndex()
    memory.put(experiences)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shelf = Shelf(Path(folder))
        shelf.put(*experiences)
        for query in queries:
            expected = {found.id: found.score for found in memory.search(query, 20, Filter(**wanted))}
            scores = {found.id: found.score for found in shelf.search(query, 20, **wanted)}
            assert scores == pytest.approx(expected, abs=0.02), "tantivy keeps lengths of texts in a byte"
        settled(Path(folder))


def test_filters_leave_what_is_wanted(shelf: Shelf):
    shelf.put(
        Experience("red fish", id="a", problem_category="seas", priority=3),
        Experience("red fish", id="b", zone="warning", problem_category="skies", priority=2),
        Experience("red fish", id="c", zone="mixed", problem_category="soil", priority=-(10**30)),
    )
    assert shelf.found("red") == ["a", "b", "c"]
    assert shelf.found("red", zones=("mixed", "golden")) == ["a", "c"]
    assert shelf.found("red", zones=()) == []
    assert shelf.found("red", categories=["skies", "unheard of"]) == ["b"]
    assert shelf.found("red", min_priority=2) == ["a", "b"]
    assert shelf.found("red", hidden={"a", "unheard of"}) == ["b", "c"]
    assert shelf.found("red", zones=["golden"], hidden=["a"]) == []


def test_a_hit_says_what_found_it(shelf: Shelf):
    shelf.put(*texts(alike="triangularity", same="red fox", both="fox red rectangularity"))
    why = {found.id: found.why for found in shelf.search("fox red rectangularity")}
    assert why == {"both": "words, 4-grams", "alike": "4-grams", "same": "words"}


def test_replaced_and_removed_entries_are_passed_over(shelf: Shelf):
    shelf.put(*texts(a="red fish", b="red fish again"))
    assert shelf.found("red fish") == ["a", "b"]
    shelf.put(*texts(a="blue bird"))
    del shelf.numbers["b"]
    assert shelf.found("red fish") == []
    assert shelf.found("bird") == ["a"]
    assert shelf.search("bird")[0].score == 1.0


def test_an_entry_behind_many_stale_ones_is_found(shelf: Shelf):
    for _ in range(120):
        shelf.put(*texts(a="red fish"))
    shelf.put(*texts(a="red bird", b="red and much else that makes it long", c="red"))
    assert sorted(shelf.found("red fish", 3)) == ["a", "b", "c"]


def test_equal_texts_come_by_id_however_many_there_are(shelf: Shelf):
    ids = [f"{number * 7919 % 1000:03d}" for number in range(200)]
    shelf.put(*(Experience("same words", id=one) for one in ids))
    assert shelf.found("same words", 7) == sorted(ids)[:7]


def test_what_all_entries_say_is_found_as_well(shelf: Shelf):
    shelf.put(*(Experience("word", id=f"{number:05d}") for number in range(11_000)))
    assert shelf.found("word", 2) == ["00000", "00001"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "index").write_text("a file")
    shelf = Shelf(tmp_path / "index")
    shelf.put(*texts(a="red fish"))
    with pytest.raises(OSError, match="index"):
        shelf.refresh()


NAMES = ["ring", "square", "prime", "modulo"]
CHANGES = [Experience(" ".join(NAMES[: n % 4 + 1]) + f" {n % 5}", id=f"e{n % 20}") for n in range(30)]


@pytest.mark.parametrize("steps", [[1] * 30, [7, 3, 20]])
@pytest.mark.parametrize("batch", [4, 10_000])
def test_results_do_not_depend_on_how_changes_were_committed(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[int], batch: int
):
    monkeypatch.setattr(disk_index, "BATCH", batch)
    at_once = Shelf(tmp_path / "at once")
    at_once.put(*CHANGES)
    rest = list(CHANGES)
    for size in steps:
        shelf.put(*rest[:size])
        del rest[:size]
        shelf.refresh()
    expected = at_once.search("prime square 3", 8)
    assert len({found.score for found in expected}) > 2
    assert shelf.search("prime square 3", 8) == expected
    settled(tmp_path / "index")
    assert shelf.search("prime square 3", 8) == expected, "and not on merges either"


def test_another_one_sees_what_was_added(shelf: Shelf, tmp_path: Path):
    reader = DiskIndex(tmp_path / "index", "library")
    assert reader.upto == 0
    for number in range(1, 4):
        shelf.put(*texts(**{f"e{number}": f"fish {number}"}))
        shelf.refresh()
        assert reader.upto == number
        assert len(reader.search("fish", 5, Filter(), shelf.current)) == number


def test_a_crash_before_the_note_is_healed(shelf: Shelf, tmp_path: Path):
    shelf.put(*texts(a="red fish"))
    shelf.refresh()
    note = tmp_path / "index" / "index.json"
    before = note.read_bytes()
    shelf.put(*texts(b="red bird"))
    shelf.refresh()
    note.write_bytes(before)
    assert shelf.index.upto == 1
    assert shelf.found("red") == ["a", "b"]
    assert (shelf.index.upto, shelf.documents) == (2, 2)


def broken_note(folder: Path, **changes: object) -> None:
    state = json.loads((folder / "index.json").read_bytes())
    (folder / "index.json").write_text(json.dumps(state | changes))


BREAKAGES = {
    "missing": lambda folder: (folder / "index.json").unlink(),
    "torn": lambda folder: (folder / "index.json").write_text('{"library": "libr'),
    "no object": lambda folder: (folder / "index.json").write_text("[]"),
    "foreign": lambda folder: broken_note(folder, library="another"),
    "older format": lambda folder: broken_note(folder, format=0),
    "documents lost": lambda folder: broken_note(folder, documents=9),
    "tantivy gone": lambda folder: (broken_note(folder, upto=2), shutil.rmtree(folder / "tantivy")),
    "tantivy torn": lambda folder: (broken_note(folder, upto=2), (folder / "tantivy" / "meta.json").write_text("{")),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_an_index_that_does_not_fit_begins_anew(shelf: Shelf, tmp_path: Path, breakage: str):
    shelf.put(*texts(a="red fish", b="red bird"))
    shelf.refresh()
    settled(tmp_path / "index")
    BREAKAGES[breakage](tmp_path / "index")
    after = DiskIndex(tmp_path / "index", "library")
    assert after.upto == 0
    assert after.search("red", 5, Filter(), shelf.current) == []
    after.update(2, shelf.changes)
    assert (after.upto, len(after.search("red", 5, Filter(), shelf.current))) == (2, 2)


def test_an_index_lost_meanwhile_is_not_continued(shelf: Shelf, tmp_path: Path):
    shelf.put(*texts(a="red fish"))
    shelf.refresh()
    settled(tmp_path / "index")
    assert shelf.index.upto == 1
    (tmp_path / "index" / "index.json").unlink()
    shelf.put(*texts(b="red bird"))
    shelf.index.update(2, shelf.changes[1:])
    assert shelf.index.upto == 0, "the first change would be missing"
    assert sorted(shelf.found("red")) == ["a", "b"]


HOLDER = """
import sys
from pathlib import Path
from flex.search.disk_index import _alone
with _alone(Path(sys.argv[1])) as alone:
    print(alone, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="without file locks; run on Linux or macOS")
def test_only_one_process_indexes(shelf: Shelf, tmp_path: Path):
    shelf.put(*texts(a="red fish"))
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "index")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"True\n"
        start = time.monotonic()
        assert shelf.found("red") == []
        assert 0.5 < time.monotonic() - start < 300  # it waits, and not for ever
        other.stdin.close()
    assert shelf.found("red") == ["a"]


WRITER = """
import sys
from pathlib import Path
from flex.search.disk_index import DiskIndex
from flex.errors import LibraryError
from flex.types import Experience
index = DiskIndex(Path(sys.argv[1]), "library")
for number in range(1, 31):
    if number > index.upto:
        index.update(number, [(n, Experience(f"fish {n}", id=str(n))) for n in range(index.upto + 1, number + 1)])
"""


def test_two_processes_index_every_change_once(shelf: Shelf, tmp_path: Path):
    shelf.put(*(Experience(f"fish {number}", id=str(number)) for number in range(1, 31)))
    command = [sys.executable, "-c", WRITER, str(tmp_path / "index")]
    writers = [subprocess.Popen(command) for _ in range(2)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(shelf.found("fish", 40)) == 30
    assert shelf.documents == 30
