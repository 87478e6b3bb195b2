"""The actor pi as an agent: a smolagents CodeAgent that thinks, runs code and may consult the library."""

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

import smolagents

from flex.agents.pool import MAX_STEPS, AgentPool, AgentRecord, Call, plain
from flex.benchmarks.base import Benchmark
from flex.errors import SettingsError
from flex.memory_tool import MemoryRetrievalTool
from flex.prompt import Prompts
from flex.telemetry import span
from flex.types import Attempt, Model, Retrieval, Task, Trajectory, Usage

Retrieve = Callable[[str, Task], Coroutine[Any, Any, Retrieval]]
MAX_RETRIEVALS = 30
"""Retrievals in one attempt; each costs up to three calls."""
ENOUGH = f"You have consulted the library {MAX_RETRIEVALS} times, it does not answer any more. Work with what you know."

ANSWER_KEYS = ("final_answer", "answer", "result", "solution", "value", "output", "reactants", "formula")
"""Under which of its keys a dict that an agent hands in holds the answer, the surest first."""
NOT_INTO_DOCKER = (
    "the library and the benchmark's tools cannot be taken into a container: choose executor monty or local"
)


class AgentActor:
    """Answers a task in steps of thought and code; a fresh agent, sandbox and memory for every attempt.

    `retrieve(query, task)` is what its tool `memory_retrieval` asks; without it the agent has no library. Agents run
    in threads of this actor's own, `concurrency` of them. Use it as a context manager. Raises SettingsError for tools
    that the executor cannot take along.
    """

    def __init__(
        self,
        model: Model,
        benchmark: Benchmark,
        prompts: Prompts,
        *,
        retrieve: Retrieve | None = None,
        executor: str = "monty",
        concurrency: int = 1,
        max_steps: int = MAX_STEPS,
    ) -> None:
        if executor == "docker" and (retrieve or benchmark.tools()):
            raise SettingsError(NOT_INTO_DOCKER)
        self.benchmark = benchmark
        self.prompts = prompts
        self.retrieve = retrieve
        self.max_steps = max_steps
        self._agents = AgentPool(model, prompts, executor=executor, concurrency=concurrency)
        self._tools = [smolagents.tool(function) for function in benchmark.tools()]

    def __enter__(self) -> "AgentActor":
        self._agents.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._agents.__exit__(*exception)

    async def attempt(self, trajectory: Trajectory, retrieval: Retrieval | None = None) -> Attempt:
        """The next attempt at the trajectory's task, with the agent's steps and what it retrieved."""
        retrievals: list[Retrieval] = []
        tools = [*self._tools, *self._task_tools(trajectory.task)]

        def make_tools(call: Call[Retrieval]) -> Sequence[smolagents.Tool]:
            if (retrieve := self.retrieve) is None:
                return tools

            async def retrieved(query: str) -> Retrieval:
                return await retrieve(query, trajectory.task)  # on the loop, where an error ends the run

            def read(query: str) -> str:
                if len(retrievals) >= MAX_RETRIEVALS:
                    return ENOUGH
                retrievals.append(call(retrieved(query)))
                return retrievals[-1].text

            return [*tools, MemoryRetrievalTool(read)]

        with span("actor", "CHAIN", input=trajectory.task.question) as recorded:
            made = await self._agents.run(self._task_text(trajectory, retrieval), make_tools, self.max_steps)
            recorded.set(output=made.text, finish_reason=made.finish_reason)
        return Attempt(
            text=made.text,
            answer=self._answer(made),
            reasoning="\n\n".join(reply.reasoning for reply in made.replies if reply.reasoning),
            usage=sum((reply.usage for reply in made.replies), Usage()),
            finish_reason=made.finish_reason,
            retrievals=tuple(retrievals),
            steps=made.steps,
        )

    def _task_tools(self, task: Task) -> list[smolagents.Tool]:
        made = [smolagents.tool(function) for function in self.benchmark.task_tools(task)]
        if made and self._agents.executor == "docker":
            raise SettingsError(NOT_INTO_DOCKER)
        return made

    def _answer(self, made: AgentRecord) -> str | None:
        """What the benchmark finds in what was handed in: a text, a list of parts, or an answer without its tag."""
        if not made.complete:
            return self.benchmark.extract_marked(made.text)
        handed_in = _without_wrapping(made.output)
        text = plain(handed_in)
        if isinstance(handed_in, list | tuple) and all(isinstance(part, str) for part in handed_in):
            text = ".".join(handed_in)
        candidates = (plain(handed_in), text, f"<answer>{text}</answer>")
        return next((found for candidate in candidates if (found := self.benchmark.extract(candidate))), None)

    def _task_text(self, trajectory: Trajectory, retrieval: Retrieval | None) -> str:
        question = trajectory.task.question
        text = self.prompts.render("actor", question=question, has_memory=self.retrieve is not None)
        if retrieval and retrieval.text:
            text = f"{retrieval.text}\n\n{text}"
        if trajectory.rounds:
            last = trajectory.rounds[-1]
            feedback = self.prompts.render("feedback", feedback=last.verdict.feedback)
            text += f"\n\nYour last attempt:\n<attempt>\n{last.attempt.text}\n</attempt>\n\n{feedback}"
        return text


def _without_wrapping(output: Any) -> Any:
    """What an agent means by `{"answer": 7, "confidence": 0.9}`, given as a dict or written as JSON."""
    if isinstance(output, str) and output.lstrip().startswith("{"):
        with suppress(ValueError, RecursionError):
            output = json.loads(output)
    if isinstance(output, Mapping):
        named = {str(key).casefold().replace(" ", "_"): value for key, value in output.items()}
        found = [named[key] for key in ANSWER_KEYS if key in named] or (list(named.values()) if len(named) == 1 else [])
        return found[0] if found else output
    return output
