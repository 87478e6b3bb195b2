import asyncio

from flex.evaluation.reading import LibraryReader, ShuffledReader, swapped
from flex.explib import ExpLib
from flex.memory_retriever import MemoryRetriever, index_order
from flex.prompt import Prompts
from flex.testing import ScriptedModel
from flex.types import Experience, Rule, Task

TASK, OTHER = Task("t1", "circles"), Task("t2", "circles")


def library(size: int = 12) -> ExpLib:
    made = ExpLib()
    for n in range(size):
        made.add(Experience(f"circles {n}", tuple(Rule(f"circles {n}.{r}") for r in range(n % 3 + 1)), f"case {n}"))
    return made


def flat(model=None) -> MemoryRetriever:
    return MemoryRetriever(model or ScriptedModel(), Prompts("aime"), select=index_order)


def read(reader, task=TASK):
    return asyncio.run(reader.read("circles", task))


def test_a_flat_retriever_asks_no_model_and_fills_every_level():
    found = read(LibraryReader(flat(), library()))
    assert [len([h for h in found.hits if h.level == level]) for level in ("method", "rule")] == [5, 5]


def test_hidden_experiences_are_passed_over_for_their_task_only():
    lib = library(3)
    hidden = next(iter(lib)).id
    reader = LibraryReader(flat(), lib, {TASK.id: {hidden}})
    assert hidden not in {h.experience_id for h in read(reader).hits}
    assert hidden in {h.experience_id for h in read(reader, OTHER).hits}


def test_a_shuffled_reader_shows_as_many_hits_of_other_experiences():
    lib = library(40)
    real, shuffled = read(LibraryReader(flat(), lib)), read(ShuffledReader(flat(), lib))
    assert [h.level for h in shuffled.hits] == [h.level for h in real.hits]
    assert all(a.experience_id != b.experience_id for a, b in zip(real.hits, shuffled.hits, strict=True))
    assert all(h.rule is None or h.rule < len(lib.get(h.experience_id).rules) for h in shuffled.hits)
    assert real.text != shuffled.text
    assert shuffled.text.count("<experience ") >= 3


def test_shuffling_is_fixed_within_a_task_and_differs_between_tasks():
    lib = library(40)
    reader = ShuffledReader(flat(), lib)
    assert read(reader) == read(reader)
    assert read(reader).hits != read(reader, OTHER).hits


def test_shuffling_never_shows_what_is_hidden():
    lib = library(12)
    hidden = {e.id for e in list(lib)[:6]}
    reader = ShuffledReader(flat(), lib, {TASK.id: hidden})
    assert not hidden & {h.experience_id for h in read(reader).hits}


def test_every_id_gets_another_one():
    ids = [f"id{n}" for n in range(30)]
    other = swapped(ids, "key")
    assert all(a != b and b in ids for a, b in other.items())
    assert swapped(["only"], "key") == {"only": "only"}
    assert swapped([], "key") == {}


def test_an_empty_library_has_nothing_to_read():
    reader = LibraryReader(MemoryRetriever(ScriptedModel(), Prompts("aime")), ExpLib())
    assert read(reader).text == ""
