import sqlite3

import pytest

from flex.endpoint.kept_replies import KeptReplies, sample
from flex.errors import EndpointError, RunError, TaskRefused, machine_fails
from flex.replies import user
from flex.types import Reply, Usage

REPLY = Reply("It is 7.", "3 + 4", Usage(calls=1, prompt_tokens=5, completion_tokens=2), calls=(("f", "{}"),))


def asked(kept: KeptReplies, text: str = "3 + 4?", model: str = "m", **options) -> bytes:
    return kept.question(model, [user(text)], options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "replies.db"


def test_a_reply_is_found_again_by_what_was_asked(path):
    with KeptReplies(path) as kept:
        kept.keep(asked(kept), "actor", "m", REPLY)
    with KeptReplies(path) as kept:
        assert kept.find(asked(kept)) == REPLY
        others = (asked(kept, "3 + 5?"), asked(kept, model="n"), asked(kept, temperature=0))
        assert [kept.find(question) for question in others] == [None] * 3


def test_samples_of_one_question_stay_distinct_and_come_back_in_their_order(path):
    first, second = Reply("7"), Reply("8")
    for found in ((None, None), (first, second)):
        with KeptReplies(path) as kept:
            questions = [asked(kept), asked(kept)]
            assert tuple(map(kept.find, questions)) == found
            for question, reply in zip(questions, (first, second), strict=True):
                kept.keep(question, "actor", "m", reply)


def test_another_task_rollout_or_repeat_is_another_sample(path):
    with KeptReplies(path) as kept:
        with sample("task", 1):
            kept.keep(asked(kept), "actor", "m", Reply("one"))
            with sample("rollout", 0):
                kept.keep(asked(kept), "actor", "m", Reply("two"))
        with sample("task", 1), sample("rollout", 0):
            assert kept.find(asked(kept)) == Reply("two")
        with sample("task", 1):
            assert kept.find(asked(kept)) == Reply("one")
        with sample("task", 2):
            assert kept.find(asked(kept)) is None


FAILED = (
    Reply("", finish_reason="empty"),
    Reply("", finish_reason="error"),
    EndpointError("no answer after 6 retries", "no answer"),
    TaskRefused("refused: policy", "refused", filtered=True),
)


@pytest.mark.parametrize("outcome", FAILED)
def test_what_failed_is_asked_for_again_and_failed_in_a_replay(path, outcome):
    with KeptReplies(path) as kept:
        question = asked(kept)
        kept.keep(question, "actor", "m", outcome)
        assert kept.find(question) is None
    with KeptReplies(path, replay=True) as kept:
        if isinstance(outcome, Reply):
            assert kept.find(question) == outcome
            return
        with pytest.raises(type(outcome), match=str(outcome)) as raised:
            kept.find(question)
        assert vars(raised.value) == vars(outcome)


def test_a_replay_leaves_nothing_in_the_folder_and_asks_nobody(path):
    with KeptReplies(path) as kept:
        kept.keep(asked(kept), "actor", "m", REPLY)
        with pytest.raises(RunError, match="is under way, or was killed; finish it first"):
            KeptReplies(path, replay=True)
    before = path.read_bytes()
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        with KeptReplies(path, replay=True) as kept:
            assert kept.find(asked(kept)) == REPLY
            assert [one.name for one in path.parent.iterdir()] == [path.name]
    finally:
        path.parent.chmod(0o700)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_a_killed_process_kept_is_there(path):
    kept = KeptReplies(path)  # never closed
    kept.keep(asked(kept), "actor", "m", REPLY)
    with KeptReplies(path) as again:
        assert again.find(asked(again)) == REPLY


def test_a_replay_answers_what_it_knows_and_nothing_else(path):
    with pytest.raises(RunError, match="cannot be replayed: it holds no replies"):
        KeptReplies(path, replay=True)
    with KeptReplies(path) as kept:
        kept.keep(asked(kept), "actor", "m", REPLY)
    with KeptReplies(path, replay=True) as kept:
        assert kept.find(asked(kept)) == REPLY
        with pytest.raises(RunError, match="holds no reply to one of the questions"):
            kept.find(asked(kept, "another"))


def test_a_file_that_is_none_or_is_of_another_version_is_named(path):
    path.write_bytes(b"no database, but long enough to be taken for one " * 99)
    with pytest.raises(RunError, match=r"replies.db cannot be used \(file is not a database\); move the file away"):
        KeptReplies(path)
    path.unlink()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(RunError, match=r"written by another version of flex \(99, this reads 1\)"):
        KeptReplies(path)


def test_a_damaged_reply_is_named_not_asked_for_again(path):
    with KeptReplies(path) as kept:
        question = asked(kept)
        kept.keep(question, "actor", "m", REPLY)
        kept._database.execute("UPDATE replies SET reply = '{\"text\": 1'")
        with pytest.raises(RunError, match="cannot be used"):
            kept.find(question)


def test_on_a_full_disk_nobody_is_sent_to_move_the_file(path):
    with KeptReplies(path) as kept:
        kept._database.execute(f"PRAGMA max_page_count = {kept._database.execute('PRAGMA page_count').fetchone()[0]}")
        with pytest.raises(RunError, match=r"cannot be used \(database or disk is full\)$") as raised:
            kept.keep(asked(kept), "actor", "m", Reply("long " * 10_000))
        assert machine_fails(raised.value)
