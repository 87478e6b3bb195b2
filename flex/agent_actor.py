"""The actor pi as an agent: a smolagents CodeAgent that thinks, runs code and may consult the library."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

import pydantic_monty as monty
import smolagents
from smolagents.memory import ActionStep
from smolagents.models import ChatMessage, MessageRole
from smolagents.monitoring import AgentLogger, LogLevel, TokenUsage
from smolagents.utils import AgentError

from flex.benchmarks.base import Benchmark
from flex.bridge import Bridge
from flex.executors import make_executor
from flex.memory_tool import MemoryRetrievalTool
from flex.prompt import Prompts
from flex.telemetry import span
from flex.types import Attempt, Message, Model, Reply, Retrieval, Trajectory, Usage

T = TypeVar("T")
Retrieve = Callable[[str], Coroutine[Any, Any, Retrieval]]
MAX_STEPS = 12


class AgentActor:
    """Answers a task in steps of thought and code; a fresh agent, sandbox and memory for every attempt.

    `retrieve` is what its tool `memory_retrieval` asks; without it the agent has no library. Agents run in threads
    of this actor's own, `concurrency` of them. Use it as a context manager.
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
        self.model = model
        self.benchmark = benchmark
        self.prompts = prompts
        self.retrieve = retrieve
        self.executor = executor
        self.max_steps = max_steps
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="flex-agent")
        self._pool = monty.Monty(min_processes=1, max_processes=concurrency) if executor == "monty" else None
        self.instructions = prompts.text(f"executor_{executor}").strip()
        self._tools = [smolagents.tool(function) for function in benchmark.tools()]
        self._logger = AgentLogger(level=LogLevel.OFF)

    def __enter__(self) -> "AgentActor":
        if self._pool is not None:
            self._pool.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self._pool is not None:
            self._pool.__exit__(kind, error, traceback)

    async def attempt(self, trajectory: Trajectory, retrieval: Retrieval | None = None) -> Attempt:
        """The next attempt at the trajectory's task, with the agent's steps and what it retrieved."""
        loop = asyncio.get_running_loop()
        bridge = Bridge(loop)
        run = _AgentRun(self, bridge)
        try:
            with span("actor", "CHAIN", input=trajectory.task.question) as recorded:
                context = contextvars.copy_context()  # spans nest, and calls are charged, as if there were no thread
                text = self._task_text(trajectory, retrieval)
                attempt = await loop.run_in_executor(self._threads, lambda: context.run(run.attempt, text))
                recorded.set(output=attempt.text)
            return attempt
        finally:
            bridge.close()

    def _task_text(self, trajectory: Trajectory, retrieval: Retrieval | None) -> str:
        question = trajectory.task.question
        text = self.prompts.render("actor", question=question, has_memory=self.retrieve is not None)
        if retrieval and retrieval.text:
            text = f"{retrieval.text}\n\n{text}"
        if trajectory.rounds:
            text += "\n\n" + self.prompts.render("feedback", feedback=trajectory.rounds[-1].verdict.feedback)
        return text


class _AgentRun:
    """One agent on one attempt, in a thread of the actor's."""

    def __init__(self, actor: AgentActor, bridge: Bridge) -> None:
        self.actor = actor
        self.bridge = bridge
        self.failure: Exception | None = None
        self.retrievals: list[Retrieval] = []

    def attempt(self, task_text: str) -> Attempt:
        model = _BridgedModel(self.actor.model, self.call)
        agent = self._agent(model)
        try:
            text = _text(agent.run(task_text))
        except AgentError:
            if self.failure is None:
                raise
        finally:
            agent.cleanup()
        if self.failure is not None:  # smolagents wraps it, shows it to the model or makes an answer of it
            raise self.failure
        extract = self.actor.benchmark.extract
        return Attempt(
            text=text,
            answer=extract(text) or extract(f"<answer>{text}</answer>"),
            reasoning="\n\n".join(r.reasoning for r in model.replies if r.reasoning),
            usage=sum((r.usage for r in model.replies), Usage()),
            retrievals=tuple(self.retrievals),
            steps=tuple(_step(step) for step in agent.memory.steps if isinstance(step, ActionStep)),
        )

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop; what fails there fails the attempt, whatever smolagents makes of it."""
        if self.failure is not None:
            coroutine.close()
            raise self.failure
        try:
            return self.bridge.call(coroutine)
        except Exception as error:
            self.failure = error
            raise

    def _agent(self, model: "_BridgedModel") -> smolagents.CodeAgent:
        tools = list(self.actor._tools)
        if self.actor.retrieve is not None:
            tools.append(MemoryRetrievalTool(self._read))
        executor = make_executor(self.actor.executor, self.actor._pool)
        return smolagents.CodeAgent(
            tools=tools,
            model=model,
            prompt_templates=_templates(self.actor.prompts),
            instructions=self.actor.instructions,
            executor=executor,
            executor_type="docker" if executor is None else "local",
            max_steps=self.actor.max_steps,
            logger=self.actor._logger,
        )

    def _read(self, query: str) -> str:
        assert self.actor.retrieve is not None
        retrieval = self.call(self.actor.retrieve(query))
        self.retrievals.append(retrieval)
        return retrieval.text


class _BridgedModel(smolagents.Model):  # type: ignore[misc]
    """What smolagents calls; the call itself happens on the event loop, in the shared client."""

    def __init__(self, model: Model, call: Callable[[Coroutine[Any, Any, Reply]], Reply]) -> None:
        super().__init__(model_id=model.name)
        self.replies: list[Reply] = []
        self._model = model
        self._call = call

    def generate(
        self, messages: list[ChatMessage], stop_sequences: Sequence[str] | None = None, **_: Any
    ) -> ChatMessage:
        reply = self._call(self._model.complete(_flat(messages), stop=stop_sequences))
        self.replies.append(reply)
        usage = TokenUsage(reply.usage.prompt_tokens, reply.usage.completion_tokens)
        return ChatMessage(MessageRole.ASSISTANT, reply.text, token_usage=usage)


def _templates(prompts: Prompts) -> smolagents.agents.PromptTemplates:
    ending = {"pre_messages": prompts.text("agent_out_of_steps"), "post_messages": "{{ task }}"}
    return {
        **smolagents.agents.EMPTY_PROMPT_TEMPLATES,
        "system_prompt": prompts.text("agent_system"),
        "final_answer": ending,
    }


_ROLES = {MessageRole.TOOL_CALL: "assistant", MessageRole.TOOL_RESPONSE: "user"}


def _flat(messages: Sequence[ChatMessage]) -> list[Message]:
    """smolagents' messages as plain text ones; neighbours of one role become one, as strict endpoints want."""
    flat: list[Message] = []
    for message in messages:
        role = _ROLES.get(message.role) or str(getattr(message.role, "value", message.role))
        if flat and flat[-1]["role"] == role:
            flat[-1]["content"] += "\n" + _text(message.content)
        else:
            flat.append({"role": role, "content": _text(message.content)})
    return flat


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return "" if content is None else str(content)


def _step(step: ActionStep) -> dict[str, Any]:
    return {
        "step": step.step_number,
        "output": _text(step.model_output),
        "code": step.code_action or "",
        "observation": step.observations or "",
        "error": str(step.error) if step.error else "",
    }
