"""The SQLite store alone: what it refuses, processes and threads at once, forks, kills, and its index."""

import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from types import ModuleType

import pytest

from flex.errors import LibraryError
from flex.explib import ExpLib
from flex.library.file import LibraryFile
from flex.library.stores import database, mounts
from flex.library.stores.mounts import network_file_system
from flex.library.stores.sqlite import SqliteStore
from flex.types import Change, Experience, Rule
from tests.growing import MOMENT

FISH = Experience("Catch fish", (Rule("Use a net", ("a trout",)), Rule("Wait")), "We caught a trout.", id="fish")
BENCH = Path(__file__).parents[3] / "bench"


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every library is searched like a large one."""
    monkeypatch.setattr("flex.library.stores.library_search.SMALL", -1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A library with one entry."""
    lib = ExpLib(clock=lambda: MOMENT)
    lib.add(FISH)
    return lib.save(tmp_path / "a.db")


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """bench/writing.py: the processes that write, and what is checked afterwards."""
    monkeypatch.syspath_prepend(str(BENCH))
    import writing

    return writing


@contextmanager
def other_program(path: Path, *statements: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        yield connection


# What is refused


def test_a_path_without_a_database_is_named(tmp_path: Path):
    with pytest.raises(LibraryError, match=r"no experience library at .*none\.db; ExpLib\('.*', create=True\)"):
        ExpLib(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"precious notes, by no means a database" * 100, b'{"library": {}}'])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes):
    path = tmp_path / "notes.db"
    path.write_bytes(content)
    with pytest.raises(LibraryError, match=r"notes\.db.*(not a SQLite database|no experience library)"):
        ExpLib(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("table", ["meta (key, value)", "meta (a)", "other (a)"])
def test_another_programs_database_is_left_alone(tmp_path: Path, table: str):
    path = tmp_path / "b.db"
    with other_program(path, f"CREATE TABLE {table}"):
        pass
    before = path.read_bytes()
    with pytest.raises(LibraryError, match="no experience library"):
        ExpLib(path)
    with pytest.raises(LibraryError, match="exists already"):
        ExpLib().save(path)
    assert path.read_bytes() == before


def test_a_newer_format_is_named(path: Path):
    with other_program(path, """UPDATE meta SET value = '"3.1"' WHERE key = 'version'"""):
        pass
    with pytest.raises(LibraryError, match=r"is of format 3\.1; this program reads up to 2"):
        ExpLib(path)


def test_a_library_is_not_made_where_something_is(path: Path):
    with pytest.raises(LibraryError, match=r"a\.db exists already"):
        ExpLib().save(path)
    with ExpLib(path) as lib:
        assert len(lib) == 1


def test_a_library_is_made_in_place_of_an_empty_file_and_not_by_halves(tmp_path: Path):
    path = tmp_path / "a.db"
    path.touch()
    Path(f"{path}-wal").write_bytes(b"the log of a database that is gone")
    broken = LibraryFile((replace(FISH, id="fish"), replace(FISH, id="fish")))
    with pytest.raises(LibraryError, match="cannot write the library"):
        SqliteStore.create(path, broken)
    assert path.read_bytes() == b""
    SqliteStore.create(path, LibraryFile((FISH,))).close()
    assert {file.name for file in tmp_path.iterdir()} == {"a.db"}


def test_a_damaged_entry_is_named(path: Path):
    with other_program(path, "UPDATE entries SET entry = '{\"method\": 5'"):
        pass
    with ExpLib(path) as lib, pytest.raises(LibraryError, match=r"a\.db is damaged"):
        lib.get("fish")


@pytest.mark.parametrize(
    ("held_by", "change"),
    [
        ("BEGIN EXCLUSIVE", lambda lib: lib.remove("fish")),
        ("BEGIN IMMEDIATE", lambda lib: lib.remove("fish")),
    ],
)
def test_a_database_that_another_program_holds_is_named(path: Path, held_by: str, change: Callable[[ExpLib], None]):
    with ExpLib(path) as lib:
        lib._store = SqliteStore.open(path, timeout=0.2)
        with other_program(path, held_by):
            with pytest.raises(LibraryError, match=r"a\.db has been held by another program for 0\.2 s"):
                change(lib)
            assert len(lib) == 1  # who only reads does not wait
        change(lib)
        assert len(lib) == 0


def test_a_database_that_nobody_else_may_read_is_named(path: Path):
    with (
        other_program(path, "PRAGMA locking_mode = EXCLUSIVE", "BEGIN IMMEDIATE", "COMMIT"),
        pytest.raises(LibraryError, match="held by another program"),
    ):
        SqliteStore.open(path, timeout=0.1)


def test_a_full_disk_undoes_the_change_and_says_so(path: Path):
    with ExpLib(path) as lib:
        [[pages]] = lib._store._database.rows("PRAGMA page_count")
        lib._store._database.rows(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(LibraryError, match="the disk is full"):
            lib.add(replace(FISH, id="", revised_trajectory="long " * 10_000))
        assert (len(lib), len(lib.history()), lib.search("long")) == (1, 1, [])
        lib._store._database.rows(f"PRAGMA max_page_count = {10**6}")
        lib.add(replace(FISH, id="", revised_trajectory="long " * 10_000))
        assert len(lib) == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o444, 0o777), (0o444, 0o555), (0o666, 0o555)])
def test_what_may_not_be_written_is_read_and_searched(tmp_path: Path, path: Path, file_mode: int, folder_mode: int):
    folder = Path("/tmp") / f"flex-read-only-{os.getpid()}-{file_mode}-{folder_mode}"
    folder.mkdir()
    try:
        shutil.copy(path, folder / "a.db")
        (folder / "a.db").chmod(file_mode)
        folder.chmod(folder_mode)
        done = subprocess.run(
            [sys.executable, "-c", _NOBODY, str(path), str(folder / "a.db")], capture_output=True, text=True, cwd="/"
        )
    finally:
        shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr
    found, error = json.loads(done.stdout)
    assert found == ["fish"]
    assert "a.db" in error
    assert "\n" not in error


_NOBODY = """
import filelock, json, os, sys
from flex.errors import LibraryError
from flex.explib import ExpLib
with ExpLib(sys.argv[1]) as lib:
    lib.search("everything is imported")
os.setuid(65534)  # who may not read where Python is
with ExpLib(sys.argv[2]) as lib:
    found = [hit.experience_id for hit in lib.search("trout")]
    try:
        lib.remove("fish")
    except LibraryError as error:
        print(json.dumps([found, str(error)]))
"""


MOUNTS = """/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/me/my\\040disk xfs rw 0 0
me@there: /mnt/there fuse.sshfs rw 0 0
tmpfs /mnt/there/fast tmpfs rw 0 0
nobody /mnt/there/fast cifs rw 0 0
"""


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("/srv/a.db", None),
        ("/home/me/a.db", "nfs4"),
        ("/home/me/my disk/a.db", None),
        ("/homes/a.db", None),
        ("/mnt/there/a.db", "fuse.sshfs"),
        ("/mnt/there/fast/a.db", "cifs"),
    ],
)
def test_network_file_systems_are_known_by_their_mounts(where: str, kind: str | None):
    assert network_file_system(Path(where), MOUNTS) == kind


def test_a_database_on_a_network_is_refused(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table = tmp_path / "mounts"
    table.write_text("server:/all / nfs rw 0 0\n")
    monkeypatch.setattr(mounts, "_MOUNTS", table)
    for refused in (lambda: ExpLib(path), lambda: ExpLib().save(tmp_path / "b.db")):
        with pytest.raises(LibraryError, match=r"on a network file system \(nfs\).*use a JSON library"):
            refused()
    assert not (tmp_path / "b.db").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are not UTF-8, so Linux")
def test_a_path_may_have_any_name(path: Path):
    named = path.with_name(os.fsdecode(b"50% \xff? #1.db"))
    path.rename(named)
    with ExpLib(named) as lib:
        lib.remove("fish")
    assert named.exists()
    assert not path.exists()


# Transactions


def change_and_raise(store: SqliteStore, exception: type[BaseException]) -> None:
    with store.transaction():
        store.remove("fish")
        store.append(Change(2, "remove", "fish"))
        with store.transaction():
            store.put(replace(FISH, id="other"))
        raise exception


@pytest.mark.parametrize("exception", [LibraryError, KeyboardInterrupt])
def test_what_is_interrupted_has_not_happened(path: Path, exception: type[BaseException]):
    with closing(SqliteStore.open(path)) as store:
        with pytest.raises(exception):
            change_and_raise(store, exception)
        assert ([entry.id for entry in store.zone("golden")], store.last_change()) == (["fish"], 1)
        assert store.counts() == {"golden": 1, "warning": 0, "mixed": 0}
        store.remove("fish")
    with closing(SqliteStore.open(path)) as store:
        assert store.get("fish") is None


def test_what_is_undone_was_never_searched(path: Path):
    with ExpLib(path) as lib:
        lib.search("trout")
        with suppress(LibraryError), lib._store.transaction():
            lib.add(Experience("A zebra", id="zebra"))
            assert [hit.experience_id for hit in lib.search("trout zebra")] == ["fish"]
            lib.get("nobody")
        assert len(lib) == 1
        lib.add(Experience("A wombat", id="zebra"))
        assert lib.search("zebra") == []
        assert [hit.experience_id for hit in lib.search("wombat")] == ["zebra"]


# Threads, processes, forks


def test_threads_write_and_search_at_once(path: Path):
    with ExpLib(path) as lib:
        failures: list[Exception] = []

        def work(name: int) -> None:
            try:
                for number in range(10):
                    kept = lib.add(Experience(f"method{name}x{number}"))
                    if lib.search(f"method{name}x{number}")[0].experience_id != kept.id:
                        raise AssertionError("not found")
            except Exception as error:
                failures.append(error)

        threads = [Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert [change.number for change in lib.history()] == list(range(1, 42))


def test_a_thread_waits_for_another_ones_transaction_and_no_longer(path: Path):
    store, inside, done = SqliteStore.open(path, timeout=0.1), Event(), Event()

    def hold() -> None:
        with store.transaction():
            inside.set()
            done.wait(300)

    thread = Thread(target=hold)
    thread.start()
    inside.wait(300)
    with pytest.raises(LibraryError, match=r"held by another program for 0\.1 s"), store.transaction():
        pass
    done.set()
    thread.join()
    store.remove("fish")
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_writes_as_safely_as_its_parent(path: Path):
    with ExpLib(path) as lib:
        view = lib.view()
        lib.search("trout")
        ready, go = os.pipe()
        child = os.fork()
        if not child:
            failed = 1
            try:
                lib.add(Experience("of the child", id="child"))
                os.read(ready, 1)  # until the parent has closed everything, which would take the log away
                lib.add(Experience("of the child again", id="again"))
                found = [hit.experience_id for hit in lib.search("again")]
                with pytest.raises(LibraryError, match="does not outlive a fork"):
                    view.get("fish")
                failed = found[0] != "again"
            finally:
                os._exit(failed)
        lib.add(Experience("of the parent", id="parent"))
        assert view.get("fish").method == "Catch fish"
        assert len(view) == 1
        view.close()
    os.write(go, b"x")
    assert os.waitpid(child, 0)[1] == 0
    with ExpLib(path) as lib:
        assert {entry.id for entry in lib} == {"fish", "child", "again", "parent"}
        assert [change.number for change in lib.history()] == [1, 2, 3, 4]


def test_another_processes_changes_are_found_at_once(path: Path, tmp_path: Path, writing: ModuleType):
    with ExpLib(path) as lib:
        assert len(lib.search("method")) == 0
        [writer] = writing.start_writers(path, tmp_path, ["w"], count=20)
        assert writer.wait() == 0
        mine = [entry for entry in lib if entry.id != "fish"]
        assert {hit.experience_id for hit in lib.search(mine[-1].method, top_k=50)} == {entry.id for entry in mine}


def test_killed_writers_lose_nothing_they_were_told(path: Path, tmp_path: Path, writing: ModuleType):
    reasons: set[str] = {"added"}
    for number in range(2):
        names = [f"{number}-{writer}" for writer in range(4)]
        reasons |= writing.kill_round(path, tmp_path, names, seconds=0.2)
        assert writing.problems(path, reasons) == []
    assert len(reasons) > 8


def test_the_check_after_a_kill_sees_what_is_wrong(path: Path, writing: ModuleType):
    assert writing.problems(path, {"added"}) == []
    assert writing.problems(path, {"added", "told"}) == ["lost: told"]
    with other_program(path, "DELETE FROM entries"):
        assert writing.problems(path, set()) == ["the entries are not what the history says"]


def test_a_writer_that_hangs_does_not_hang_the_others(path: Path):
    fcntl = pytest.importorskip("fcntl", reason="needs flock")
    with closing(SqliteStore.open(path, timeout=0.1)) as store:
        with open(f"{path}-lock", "ab") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(LibraryError, match=r"held by another program for 0\.1 s"), store.transaction():
                store.remove("fish")
            assert store.get("fish") is not None
        store.remove("fish")
        assert store.get("fish") is None


def test_the_lock_of_a_writer_that_is_gone_is_nobodys(path: Path):
    Path(f"{path}-lock").write_text("left behind")
    with ExpLib(path) as lib:
        lib.remove("fish")
        assert len(lib) == 0


# The index


def index_of(path: Path) -> Path:
    return Path(f"{path}.index")


def found(lib: ExpLib, query: str = "trout") -> list[str]:
    return [hit.experience_id for hit in lib.search(query)]


def other_library(path: Path) -> None:
    other = ExpLib(clock=lambda: MOMENT)
    other.add(Experience("A trout of another library"))
    with ExpLib(other.save(path.with_name("other.db"))) as lib:
        lib.search("trout")
    shutil.rmtree(index_of(path))
    shutil.copytree(index_of(path.with_name("other.db")), index_of(path))


def without_segments(path: Path) -> None:
    for file in (index_of(path) / "tantivy").iterdir():
        file.unlink()


def garbled(path: Path) -> None:
    for file in (index_of(path) / "tantivy").iterdir():
        file.write_bytes(b"not any more")


def garbled_state(path: Path) -> None:
    (index_of(path) / "index.json").write_text("{")


@pytest.mark.parametrize("damage", [other_library, without_segments, garbled, garbled_state])
def test_an_index_that_does_not_match_is_made_again(
    path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
):
    with ExpLib(path) as lib:
        assert found(lib) == ["fish"]
    damage(path)
    with caplog.at_level(logging.WARNING), ExpLib(path) as lib:
        assert found(lib) == ["fish"]
        lib.add(Experience("Another trout", id="trout"))
        assert set(found(lib)) == {"fish", "trout"}
    assert "made again" in caplog.text


def test_an_index_that_is_ahead_of_the_library_is_made_again(path: Path, caplog: pytest.LogCaptureFixture):
    backup = shutil.copy(path, path.with_name("backup"))
    with ExpLib(path) as lib:
        lib.add(Experience("A trout that is not in the backup", id="new"))
        assert found(lib, "backup") == ["new"]
    shutil.copy(backup, path)
    with ExpLib(path) as lib:
        assert found(lib) == ["fish"]
        lib.add(Experience("A wombat", id="new"))
        assert found(lib, "backup") == []
        assert found(lib, "wombat") == ["new"]
    assert "it knows more changes than the library" in caplog.text


def test_an_index_may_be_deleted_at_any_time(path: Path):
    with ExpLib(path) as lib:
        assert found(lib) == ["fish"]
        view = lib.view()
        shutil.rmtree(index_of(path))
        assert found(view) == ["fish"]
        assert found(lib) == ["fish"]
        lib.remove("fish")
        shutil.rmtree(index_of(path))
        assert (found(lib), found(view)) == ([], ["fish"])


def test_a_large_library_is_reranked_by_structure(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flex.library.stores.library_search.IN_MEMORY", 0)
    with ExpLib(path) as lib:
        lib.add(Experience("Make CC(=O)Oc1ccccc1C(=O)O from an acid", id="aspirin"))
        lib.add(Experience("Make CCOC(=O)c1ccccc1 from an acid", id="ester"))
        hits = lib.search("from an acid, how is OC(=O)c1ccccc1OC(C)=O made?")
        assert hits[0].experience_id == "aspirin"
        assert "structure" in hits[0].why


def test_nothing_stays_open(path: Path):
    lib = ExpLib(path)
    view = lib.view()
    lib.search("trout")
    open_files = list(database._databases)
    view.close()
    lib.close()
    assert all(not one._open for one in open_files if one.path == path)
    assert not Path(f"{path}-wal").exists()
