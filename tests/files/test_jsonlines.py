"""A torn last line is dropped; one process writes; what is no object is named."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from flex.errors import RunError
from flex.files.jsonlines import JsonLines, decode
from flex.types import Task


def test_a_logged_value_of_another_kind_is_an_error_that_names_the_field():
    with pytest.raises(RunError, match="logged Task cannot be read back: question"):
        decode(Task, {"id": "1"})


@pytest.mark.parametrize("torn", [b'{"n": 2', b'{"n": 2}', b"\xf0\x9f"])
def test_a_torn_last_line_is_dropped_before_the_next_row(tmp_path, torn):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"n": 1}\n' + torn)
    assert list(JsonLines(path)) == [{"n": 1}]
    with JsonLines(path) as rows:
        rows.append({"n": 3})
    assert path.read_bytes() == b'{"n": 1}\n{"n": 3}\n'


def test_a_broken_line_in_the_middle_is_not_dropped_silently(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n":\n{"n": 3}\n')
    with pytest.raises(RunError, match=r"rows\.jsonl, line 2: not valid JSON"):
        list(JsonLines(path))


def test_a_line_that_is_no_object_is_an_error(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"[1]\n")
    with pytest.raises(RunError, match="line 1: not an object"):
        list(JsonLines(path))


def test_rows_appended_from_many_threads_stay_whole(tmp_path):
    with JsonLines(tmp_path / "rows.jsonl") as rows, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: rows.append({"n": n, "text": "x" * 5000}), range(200)))
    assert sorted(row["n"] for row in rows) == list(range(200))


def test_two_writers_of_one_file_are_refused(tmp_path):
    with JsonLines(tmp_path / "rows.jsonl") as first:
        first.append({"n": 1})
        with pytest.raises(RunError, match="being written by another process"):
            JsonLines(tmp_path / "rows.jsonl").append({"n": 2})
    assert list(first) == [{"n": 1}]
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]
