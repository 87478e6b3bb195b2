"""A write leaves the old file or the new one, whatever happens meanwhile."""

import json
import os
import stat

import pytest

from flex.files.atomic import json_bytes, write_atomically, write_json


def test_an_atomic_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    write_json(path, {"old": True})

    def full(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_json(path, {"new": True})
    assert os.listdir(tmp_path) == ["file.json"]
    assert json.loads(path.read_text()) == {"old": True}


def test_an_atomic_write_keeps_links_and_permissions(tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "real.json").chmod(0o600)
    (tmp_path / "link.json").symlink_to("real.json")
    write_atomically(tmp_path / "link.json", b"new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "real.json").stat().st_mode) == 0o600


def test_json_is_readable_as_it_stands():
    assert json_bytes({"中": 1.5}) == '{"中": 1.5}'.encode()
    assert json_bytes("\ud83d") == b'"\\ud83d"'
