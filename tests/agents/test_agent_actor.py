import asyncio
import threading

import pytest

from flex.agents.agent_actor import AgentActor
from flex.benchmarks import get_benchmark
from flex.endpoint.usage import record_usage, track_usage
from flex.errors import EndpointError, ParseError, SettingsError
from flex.prompt import Prompts
from flex.testing import RuleModel, ScriptedModel
from flex.types import Attempt, Reply, Retrieval, Task, Trajectory, Usage, Verdict

TASK = Task("math-1", "What is 40 + 2?", "42")
READ_THEN_ANSWER = (
    "I look it up.\n<code>\nprint(memory_retrieval(query='sums'))\n</code>",
    "Now I know.\n<code>\nfinal_answer(40 + 2)\n</code>",
)


async def remember(query: str, task: Task) -> Retrieval:
    return Retrieval(query, text=f"What is known of {query}: add.")


def attempt(model, *, retrieve=None, executor="monty", task=TASK, **options):
    with AgentActor(
        model, get_benchmark("math"), Prompts("aime"), retrieve=retrieve, executor=executor, **options
    ) as actor:
        return asyncio.run(actor.attempt(Trajectory(task)))


@pytest.mark.parametrize("executor", ["monty", "local"])
def test_an_agent_reads_the_library_and_answers(executor):
    model = ScriptedModel(*READ_THEN_ANSWER)
    made = attempt(model, retrieve=remember, executor=executor)
    assert (made.text, made.answer) == ("42", "42")
    assert [r.query for r in made.retrievals] == ["sums"]
    assert "What is known of sums: add." in model.asked[1][-1]["content"]


def test_steps_and_usage_are_kept_for_the_trace():
    made = attempt(ScriptedModel(*READ_THEN_ANSWER), retrieve=remember)
    assert [step["step"] for step in made.steps] == [1, 2]
    assert "memory_retrieval" in made.steps[0]["code"]
    assert "What is known of sums" in made.steps[0]["observation"]
    assert made.usage == Usage(calls=2)


def test_the_tool_is_there_only_with_a_library():
    with_library, without = ScriptedModel(*READ_THEN_ANSWER), ScriptedModel("<code>\nfinal_answer(42)\n</code>")
    attempt(with_library, retrieve=remember)
    attempt(without)
    assert "memory_retrieval" in with_library.asked[0][0]["content"]
    assert all("memory_retrieval" not in message["content"] for message in without.asked[0])


def test_messages_alternate_as_strict_endpoints_want():
    model = ScriptedModel(*READ_THEN_ANSWER)
    attempt(model, retrieve=remember)
    assert [m["role"] for m in model.asked[1]] == ["system", "user", "assistant", "user"]


def test_an_error_in_the_code_is_shown_to_the_agent():
    model = ScriptedModel("<code>\n1 / 0\n</code>", "<code>\nfinal_answer('7')\n</code>")
    assert attempt(model).answer == "7"
    assert "ZeroDivisionError" in model.asked[1][-1]["content"]


def test_an_agent_out_of_steps_is_asked_for_its_best_answer():
    model = ScriptedModel("<code>\nx = 1\n</code>", "<code>\nx = 2\n</code>", r"\boxed{42}")
    assert attempt(model, max_steps=2).answer == "42"
    assert "steps are used up" in model.asked[-1][0]["content"]


@pytest.mark.parametrize("lines", [[EndpointError("gone")], ["<code>\nx = 1\n</code>", EndpointError("gone")]])
def test_a_refused_call_is_raised_and_never_an_answer(lines):
    with pytest.raises(EndpointError, match="gone"):
        attempt(ScriptedModel(*lines), max_steps=1)


def test_a_refused_retrieval_fails_the_attempt():
    async def refused(query: str, task: Task) -> Retrieval:
        raise EndpointError("retriever gone")

    model = ScriptedModel(*READ_THEN_ANSWER)
    with pytest.raises(EndpointError, match="retriever gone"):
        attempt(model, retrieve=refused)
    assert len(model.asked) == 1


def test_an_answer_in_no_tag_is_found():
    retro = get_benchmark("retro")
    model = ScriptedModel("<code>\nfinal_answer('CCO.CC(=O)O')\n</code>")
    with AgentActor(model, retro, Prompts("retro")) as actor:
        made = asyncio.run(actor.attempt(Trajectory(Task("retro-1", "CCOC(C)=O", "CCO.CC(=O)O"))))
    assert retro.score(made.answer, "CC(=O)O.CCO") == 1.0


def test_as_many_agents_run_at_once_as_asked_for():
    together = threading.Barrier(8, timeout=300)

    async def meet(query: str, task: Task) -> Retrieval:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        return Retrieval(query, text="met")

    def answer(messages):
        return "<code>\nwait()\nfinal_answer(1)\n</code>"

    class Waiting(type(get_benchmark("math"))):
        def tools(self):
            def wait() -> str:
                """Waits for everybody."""
                together.wait()
                return "here"

            return (wait,)

    async def all_of_them(actor):
        return await asyncio.gather(*(actor.attempt(Trajectory(TASK)) for _ in range(8)))

    with AgentActor(RuleModel(answer), Waiting(), Prompts("aime"), concurrency=8) as actor:
        assert [a.answer for a in asyncio.run(all_of_them(actor))] == ["1"] * 8


def test_calls_of_an_agent_are_charged_to_the_tracker_around_it():
    class Charging(ScriptedModel):
        async def complete(self, messages, *, stop=None, schema=None):
            record_usage("actor", "m", Usage(calls=1))
            return await super().complete(messages, stop=stop)

    async def charged(actor):
        with track_usage() as spent:
            await actor.attempt(Trajectory(TASK))
        return spent.total.calls

    with AgentActor(Charging(*READ_THEN_ANSWER), get_benchmark("math"), Prompts("aime"), retrieve=remember) as actor:
        assert asyncio.run(charged(actor)) == 2


@pytest.mark.parametrize("executor", ["monty", "local"])
def test_what_a_retrieval_costs_is_charged_to_the_tracker_around_the_attempt(executor):
    async def costly(query: str, task: Task) -> Retrieval:
        record_usage("retriever", "m", Usage(calls=1))
        return Retrieval(query, text="add")

    async def charged(actor):
        with track_usage() as spent:
            await actor.attempt(Trajectory(TASK))
        return spent.total.calls

    model = ScriptedModel(*READ_THEN_ANSWER)
    with AgentActor(model, get_benchmark("math"), Prompts("aime"), retrieve=costly, executor=executor) as actor:
        assert asyncio.run(charged(actor)) == 1


def test_cancelling_an_attempt_leaves_no_thread_behind():
    asked = asyncio.Event()

    class Silent(ScriptedModel):
        async def complete(self, messages, *, stop=None, schema=None):
            asked.set()
            await asyncio.sleep(3600)

    async def cancelled(actor):
        work = asyncio.create_task(actor.attempt(Trajectory(TASK)))
        await asked.wait()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    with AgentActor(Silent(), get_benchmark("math"), Prompts("aime")) as actor:
        asyncio.run(asyncio.wait_for(cancelled(actor), 300))
    assert not [t for t in threading.enumerate() if t.name.startswith("flex-agent")]


def test_a_bug_in_retrieval_stops_the_program():
    def broken(query):
        raise AssertionError("never reached")

    with pytest.raises(TypeError, match="positional argument"):
        attempt(ScriptedModel(*READ_THEN_ANSWER), retrieve=broken)


EMPTY = Reply("", "I should add 40 and 2.", finish_reason="empty")
CUT_OFF = Reply("Thought: I count.\n<code>\nfinal_answer(4", finish_reason="length")


@pytest.mark.parametrize(
    ("reply", "problem"), [(EMPTY, "Your reply was empty"), (CUT_OFF, "cut off at the token limit")]
)
def test_a_reply_without_a_whole_step_is_an_error_that_the_agent_reads(reply, problem):
    model = ScriptedModel(reply, reply, DONE)
    made = attempt(model)
    assert (made.answer, made.finish_reason) == ("7", "stop")
    assert problem in model.asked[1][-1]["content"]
    assert [step["finish_reason"] for step in made.steps] == [reply.finish_reason] * 2 + ["stop"]


@pytest.mark.parametrize("reply", [EMPTY, CUT_OFF, Reply("I will not.", finish_reason="filtered")])
def test_three_replies_without_a_step_in_a_row_end_the_attempt(reply):
    model = ScriptedModel("<code>\nx = 1\n</code>", reply, reply, reply, DONE)
    made = attempt(model)
    assert (made.answer, made.text, made.finish_reason) == (None, "", reply.finish_reason)
    assert (len(model.asked), len(made.steps)) == (4, 4)


def test_no_answer_is_read_out_of_a_last_word_that_was_cut_off():
    cut = Reply("The sum of 40 and", finish_reason="length")
    assert attempt(ScriptedModel("<code>\nx = 1\n</code>", cut), max_steps=1).answer is None


@pytest.mark.parametrize(
    "calls",
    [
        [("final_answer", '{"answer": 42}')],
        [("functions.final_answer", '{"answer": "42"}')],
        [("python_interpreter", '{"code": "final_answer(40 + 2)"}')],
        [("python", "final_answer(40 + 2)")],
        [("memory_retrieval", '{"query": "sums"}'), ("final_answer", '{"answer": 42}')],
    ],
)
@pytest.mark.parametrize("text", ["", "Thought: I hand it in."])
def test_a_tool_called_in_the_form_of_the_api_is_a_step(calls, text):
    reply = Reply(text, finish_reason="tool_calls", calls=tuple(calls))
    made = attempt(ScriptedModel(reply), retrieve=remember)
    assert (made.answer, made.finish_reason) == ("42", "stop")


@pytest.mark.parametrize(("name", "arguments"), [("final_answer", "[7"), ("my tool", "{}"), ("python", "{}")])
def test_a_call_that_cannot_be_read_is_an_error_that_names_the_form(name, arguments):
    model = ScriptedModel(Reply("", finish_reason="tool_calls", calls=((name, arguments),)), DONE)
    assert attempt(model).answer == "7"
    assert "one block of code between <code> and </code>" in model.asked[1][-1]["content"]


@pytest.mark.parametrize("executor", ["monty", "local"])
@pytest.mark.parametrize(
    "code",
    [
        "final_answer = 7",
        "x = 3\nfinal_answer = x + 4\nprint(final_answer)",
        "final_answer = None\nfor k in range(8):\n    final_answer = k",
        "final_answer: int = 7",
        "def f():\n    return 7\nfinal_answer = f()",
        "final_answer = 7\nfinal_answer(final_answer)",
    ],
)
def test_a_final_answer_that_is_assigned_is_handed_in(code, executor):
    made = attempt(ScriptedModel(f"Thought: done.\n<code>\n{code}\n</code>"), executor=executor)
    assert (made.answer, len(made.steps)) == ("7", 1)


@pytest.mark.parametrize(
    "code", ["def f():\n    final_answer = 3\n    return final_answer\nprint(f())", "final_answer = None"]
)
def test_a_name_in_a_function_or_without_a_value_hands_in_nothing(code):
    model = ScriptedModel(f"<code>\n{code}\n</code>", DONE)
    assert attempt(model).answer == "7"
    assert len(model.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        "{'answer': 7, 'confidence': 0.9}",
        "{'Final answer': 7, 'answer': 3}",
        "{'x': 7}",
        '\'{"answer": 7, "confidence": 0.9}\'',
        "{'reasoning': '3 + 4', 'result': '7'}",
    ],
)
def test_a_dict_that_is_handed_in_holds_the_answer(answer):
    assert attempt(ScriptedModel(f"<code>\nfinal_answer({answer})\n</code>")).answer == "7"


DONE = "<code>\nfinal_answer(7)\n</code>"


@pytest.mark.parametrize("query", ["['a']", "5", "None"])
def test_a_query_that_is_no_text_is_an_error_of_the_block(query):
    model = ScriptedModel(f"<code>\nmemory_retrieval({query})\n</code>", DONE)
    made = attempt(model, retrieve=remember)
    assert (made.answer, made.retrievals) == ("7", ())
    assert "query has to be a text" in model.asked[1][-1]["content"]


@pytest.mark.parametrize("code", ["2**100000", "final_answer(2**20000)"])
@pytest.mark.parametrize("executor", ["monty", "local"])
def test_a_value_that_cannot_be_shown_costs_a_step(code, executor):
    model = ScriptedModel(f"<code>\n{code}\n</code>", DONE)
    assert attempt(model, executor=executor).answer == "7"
    assert "cannot be shown" in model.asked[1][-1]["content"]


def test_a_run_that_breaks_off_fails_the_attempt_only(monkeypatch):
    def break_off(self, task):
        raise ValueError("something of smolagents'")

    monkeypatch.setattr("smolagents.CodeAgent.run", break_off)
    with pytest.raises(ParseError, match="the agent's run broke off: ValueError: something of smolagents'"):
        attempt(ScriptedModel())


def test_an_attempt_may_consult_the_library_so_often_and_at_such_length():
    block = "<code>\nfor i in range(100):\n    said = memory_retrieval('x' * 5000)\nprint(said)\n</code>"
    model = ScriptedModel(block, DONE)
    made = attempt(model, retrieve=remember)
    assert len(made.retrievals) == 30
    assert {len(r.query) for r in made.retrievals} == {4000}
    assert "consulted the library 30 times" in model.asked[1][-1]["content"]


@pytest.mark.parametrize("code", ["['CCO', 'CC(=O)O']", "('CCO', 'CC(=O)O')", "'<answer>CCO.CC(=O)O</answer>'"])
def test_a_list_of_parts_is_an_answer(code):
    retro = get_benchmark("retro")
    with AgentActor(ScriptedModel(f"<code>\nfinal_answer({code})\n</code>"), retro, Prompts("retro")) as actor:
        made = asyncio.run(actor.attempt(Trajectory(Task("retro-1", "CCOC(C)=O"))))
    assert made.answer == "CCO.CC(=O)O"


def test_a_second_round_shows_the_first_attempt_and_then_its_feedback():
    model = ScriptedModel(DONE)
    again = Trajectory(TASK).extended(Attempt("I count 41.", "41"), Verdict(False, "Recount the ones."))
    with AgentActor(model, get_benchmark("math"), Prompts("aime")) as actor:
        asyncio.run(actor.attempt(again))
    text = model.asked[0][-1]["content"]
    assert text.index(TASK.question) < text.index("I count 41.") < text.index("Recount the ones.")


def test_docker_without_its_extra_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install -e '\.\[docker\]'"):
        AgentActor(ScriptedModel(), get_benchmark("math"), Prompts("aime"), executor="docker")


@pytest.mark.parametrize(("benchmark", "retrieve"), [("math", remember), ("retro", None)])
def test_tools_are_not_taken_into_a_container(benchmark, retrieve):
    with pytest.raises(SettingsError, match="choose executor monty or local"):
        AgentActor(ScriptedModel(), get_benchmark(benchmark), Prompts(), retrieve=retrieve, executor="docker")
