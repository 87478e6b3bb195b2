"""Every file arrives whole or not at all, whatever the server does."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flex.cli.download import main
from flex.errors import EndpointError, SettingsError
from flex.files import download
from flex.files.download import SOURCES, Source, chosen, fetch

SCRIPT = Path(__file__).parents[2] / "scripts" / "download_data.py"
CONTENT = b"".join(b'{"question": "%d", "answer": "1"}\n' % number for number in range(20_000))
SOURCE = Source("aime", hashlib.sha256(CONTENT).hexdigest(), "data/AIME/train.jsonl")


class Mirror(ThreadingHTTPServer):
    """A server that can do Range or not, and breaks off as told."""

    daemon_threads = True

    def __init__(self):
        self.content, self.ranges, self.status, self.break_after, self.asked = CONTENT, True, 200, [], []
        self.held = threading.Event()
        self.held.set()
        self.lie = False
        super().__init__(("127.0.0.1", 0), MirrorHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, *_):
        """A client that leaves is nothing to tell about."""


class MirrorHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        mirror, wanted = self.server, self.headers.get("Range")
        mirror.asked.append((self.path, wanted))
        start = int(re.match(r"bytes=(\d+)-", wanted)[1]) if wanted and mirror.ranges else 0
        if mirror.status != 200 or start >= len(mirror.content):
            return self.send_error(mirror.status if mirror.status != 200 else 416)
        body = mirror.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {0 if mirror.lie else start}-{len(mirror.content) - 1}/9")
        self.end_headers()
        stop = mirror.break_after.pop(0) if mirror.break_after else len(body)
        for at in range(0, stop, 65536):
            self.wfile.write(body[at : min(stop, at + 65536)])
            mirror.held.wait(60)

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    mirror = Mirror()
    yield mirror
    mirror.shutdown()
    mirror.server_close()


def get(mirror, folder):
    return fetch(SOURCE, folder, base_url=mirror.url, pause=0)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def lay_part(folder, content):
    part = folder / "data/AIME/train.jsonl.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(content)


def test_a_fresh_file_arrives_under_its_name_and_nothing_else(mirror, tmp_path):
    seen = []
    assert fetch(SOURCE, tmp_path, base_url=mirror.url, progress=lambda *at: seen.append(at)) is True
    assert (tmp_path / SOURCE.path).read_bytes() == CONTENT
    assert files(tmp_path) == [SOURCE.path]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert mirror.asked == [("/GenSI-THUAIR/FLEX/b749fc351f81d834b71edb13bc7bc0e51cfdc15d/data/AIME/train.jsonl", None)]


def test_a_file_that_is_there_is_not_asked_for(mirror, tmp_path):
    get(mirror, tmp_path)
    assert get(mirror, tmp_path) is False
    assert len(mirror.asked) == 1


def test_another_file_of_that_name_is_kept_beside_it(mirror, tmp_path):
    path = tmp_path / SOURCE.path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"my own")
    get(mirror, tmp_path)
    assert path.read_bytes() == CONTENT
    assert (path.parent / "train.jsonl.old").read_bytes() == b"my own"


@pytest.mark.parametrize("ranges", [True, False])
def test_a_part_is_continued_or_the_file_fetched_anew(mirror, tmp_path, ranges):
    mirror.ranges = ranges
    lay_part(tmp_path, CONTENT[:1000])
    get(mirror, tmp_path)
    assert (tmp_path / SOURCE.path).read_bytes() == CONTENT
    assert mirror.asked[0][1] == "bytes=1000-"
    assert files(tmp_path) == [SOURCE.path]


def test_a_whole_part_needs_no_server(tmp_path):
    lay_part(tmp_path, CONTENT)
    assert fetch(SOURCE, tmp_path, base_url="http://127.0.0.1:9") is True


@pytest.mark.parametrize("part", [b"x" * 1000, CONTENT + b"more", b"x" * len(CONTENT)])
def test_a_part_of_another_file_is_fetched_anew(mirror, tmp_path, part):
    lay_part(tmp_path, part)
    get(mirror, tmp_path)
    assert (tmp_path / SOURCE.path).read_bytes() == CONTENT


def test_a_server_that_continues_elsewhere_is_not_believed(mirror, tmp_path):
    mirror.lie = True
    lay_part(tmp_path, CONTENT[:1000])
    get(mirror, tmp_path)
    assert (tmp_path / SOURCE.path).read_bytes() == CONTENT


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_breaks_off_is_taken_up_again(mirror, tmp_path, ranges):
    mirror.ranges, mirror.break_after = ranges, [100_000, 200_000]
    get(mirror, tmp_path)
    assert (tmp_path / SOURCE.path).read_bytes() == CONTENT
    assert [wanted for _, wanted in mirror.asked] == [None, "bytes=100000-", f"bytes={300_000 if ranges else 200_000}-"]


def test_a_server_that_keeps_breaking_off_leaves_a_part_for_the_next_time(mirror, tmp_path):
    mirror.break_after = [100] * 4
    with pytest.raises(EndpointError, match=r"cannot fetch data/AIME/train\.jsonl: .*broke off after 400 of"):
        get(mirror, tmp_path)
    assert files(tmp_path) == ["data/AIME/train.jsonl.part"]
    get(mirror, tmp_path)
    assert mirror.asked[-1][1] == "bytes=400-"
    assert files(tmp_path) == [SOURCE.path]


def test_a_corrupted_file_is_refused_naming_both_checksums(mirror, tmp_path):
    mirror.content = CONTENT[:-1] + b"x"
    got = hashlib.sha256(mirror.content).hexdigest()
    with pytest.raises(EndpointError, match=rf"train\.jsonl .* expected sha256 {SOURCE.sha256}, got {got}"):
        get(mirror, tmp_path)
    assert files(tmp_path) == []


def test_a_file_that_is_missing_is_one_clear_line_and_not_tried_again(mirror, tmp_path):
    mirror.status = 404
    with pytest.raises(EndpointError, match=r"cannot fetch data/AIME/train\.jsonl: http.* answers 404 Not Found"):
        get(mirror, tmp_path)
    assert len(mirror.asked) == 1
    assert files(tmp_path) == []


def test_a_server_in_trouble_is_tried_again(mirror, tmp_path):
    mirror.status = 503
    with pytest.raises(EndpointError, match="answers 503"):
        get(mirror, tmp_path)
    assert len(mirror.asked) == download.TRIES


def test_an_address_that_is_none_and_a_folder_that_is_none_are_settings(mirror, tmp_path):
    with pytest.raises(SettingsError, match=r"nonsense/.* is not an address"):
        fetch(SOURCE, tmp_path, base_url="nonsense")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SettingsError, match="cannot write"):
        fetch(SOURCE, tmp_path / "file", base_url=mirror.url)


def test_offline_is_one_line_without_a_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NO_PROXY", "*")
    assert main(["--dest", str(tmp_path), "--base-url", "http://127.0.0.1:9"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert re.match(r"error: cannot fetch data/AIME/train\.jsonl: no connection to 127\.0\.0\.1:9 \(.*offline\?", said)
    assert files(tmp_path) == []


def test_the_command_fetches_what_it_is_told_to(mirror, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download, "SOURCES", (SOURCE, Source("exps", "0", "exps/other.json")))
    assert main(["--only", "aime", "--dest", str(tmp_path), "--base_url", mirror.url]) == 0
    assert main(["--only", "aime", "--dest", str(tmp_path), "--base_url", mirror.url]) == 0
    assert capsys.readouterr().out == "data/AIME/train.jsonl: fetched\ndata/AIME/train.jsonl: already there\n"


def test_a_group_that_is_none_names_those_there_are(capsys):
    assert main(["--only", "aime,imagenet"]) == 2
    assert "'imagenet'; choose from aime, uspto50k, gsm8k, exps" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_an_interrupt_leaves_only_a_part(mirror, tmp_path):
    mirror.held.clear()
    command = [sys.executable, SCRIPT, "--only", "aime", "--dest", tmp_path, "--base_url", mirror.url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 300
        while not files(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        said = process.communicate(timeout=300)[1]
    mirror.held.set()
    assert process.returncode == 130
    assert said == "stopped; run it again to go on\n"
    assert files(tmp_path) == ["data/AIME/train.jsonl.part"]


def test_help_comes_at_once():
    """Counted in modules, which does not depend on the machine: none of the heavy ones is imported."""
    code = (
        f"import sys, runpy; sys.argv = [{str(SCRIPT)!r}, '--help']\n"
        f"try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print({'httpx2', 'openai', 'pydantic', 'numpy', 'asyncio'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "--only" in said
    assert said.endswith("set()\n")


def test_the_published_files_are_where_the_issue_says():
    assert len(SOURCES) == 12
    assert len(chosen(["exps"])) == 6
    assert [source.path for source in chosen(["gsm8k"])] == ["data/gsm8k/train.jsonl", "data/gsm8k/test.jsonl"]
    commit = "3101c7d5072418e28b9008a6636bde82a006892c"
    assert chosen(["gsm8k"])[0].remote == f"openai/grade-school-math/{commit}/grade_school_math/data/train.jsonl"
    assert all(re.fullmatch("[0-9a-f]{64}", source.sha256) for source in SOURCES)


def test_the_checksums_are_those_of_the_real_files(shared):
    there = [source for source in SOURCES if (shared / source.path).is_file()]
    assert there, "no file of ../shared has the name of a published one"
    for source in there:
        assert hashlib.sha256((shared / source.path).read_bytes()).hexdigest() == source.sha256
