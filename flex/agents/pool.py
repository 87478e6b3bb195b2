"""Agents in threads: a fresh smolagents CodeAgent per run, its calls bridged to the shared client."""

import asyncio
import importlib.util
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import pydantic_monty as monty
import smolagents
from smolagents.memory import ActionStep
from smolagents.models import ChatMessage, MessageRole
from smolagents.monitoring import AgentLogger, LogLevel, TokenUsage
from smolagents.utils import AgentGenerationError, AgentParsingError

from flex.agents.executors import make_executor
from flex.agents.step_text import NO_STEP, UNUSABLE_IN_A_ROW, step_text, unusable
from flex.concurrency import Bridge, with_current_context
from flex.errors import ParseError, SettingsError
from flex.prompt import Prompts
from flex.types import Ending, Message, Model, Reply

T = TypeVar("T")
MAX_STEPS = 12


Call = Callable[[Coroutine[Any, Any, T]], T]
"""What a tool uses to run a coroutine on the event loop from the agent's thread."""
MakeTools = Callable[[Call[Any]], Sequence[smolagents.Tool]]


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """What an agent handed in and how it got there."""

    output: Any
    replies: tuple[Reply, ...]
    steps: tuple[dict[str, Any], ...]

    @property
    def text(self) -> str:
        return plain(self.output)

    @property
    def finish_reason(self) -> Ending:
        """How its last reply ended; one whose step came as the call of a tool ended like any other."""
        ending: Ending = self.replies[-1].finish_reason if self.replies else "empty"
        return "stop" if ending == "tool_calls" and self.output is not None else ending

    @property
    def complete(self) -> bool:
        """Whether it ended with a whole reply."""
        return not self.replies or self.replies[-1].complete


class AgentPool:
    """Threads and sandboxes for `concurrency` agents; a context manager. SettingsError: no such executor here."""

    def __init__(self, model: Model, prompts: Prompts, *, executor: str = "monty", concurrency: int = 1) -> None:
        if executor == "docker" and importlib.util.find_spec("docker") is None:
            raise SettingsError("executor 'docker' needs its extra: pip install -e '.[docker]'")
        self.model = model
        self.executor = executor
        self.instructions = prompts.text(f"executor_{executor}").strip()
        self.templates = _templates(prompts)
        self.sandboxes = monty.Monty(min_processes=1, max_processes=concurrency) if executor == "monty" else None
        self.logger = AgentLogger(level=LogLevel.OFF)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="flex-agent")

    def __enter__(self) -> "AgentPool":
        if self.sandboxes is not None:
            self.sandboxes.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self.sandboxes is not None:
            self.sandboxes.__exit__(*exception)

    async def run(self, task_text: str, make_tools: MakeTools, max_steps: int = MAX_STEPS) -> AgentRecord:
        """Let a fresh agent work on a text; an error in a call that it makes on the loop is raised here.

        Raises ParseError when the run breaks off for another reason, which then is the agent's own.
        """
        loop = asyncio.get_running_loop()
        bridge = Bridge(loop)
        run = _Run(self, bridge)
        try:
            # Spans nest, and usage is recorded, as without a thread.
            return await loop.run_in_executor(
                self._threads, with_current_context(run.record), task_text, make_tools, max_steps
            )
        finally:
            bridge.close()


class _Run:
    """One agent at work on one text, in a thread of the pool."""

    def __init__(self, pool: AgentPool, bridge: Bridge) -> None:
        self.pool = pool
        self.bridge = bridge
        self.failure: Exception | None = None
        self.unusable = 0
        """How many replies in a row held no whole step."""

    def record(self, task_text: str, make_tools: MakeTools, max_steps: int) -> AgentRecord:
        model = _BridgedModel(self.pool.model, self.call)
        agent = self._agent(model, make_tools(self.call), max_steps)
        agent.step_callbacks.register(ActionStep, lambda step, agent: self._look_at(step, model, agent))
        output = None
        try:
            output = agent.run(task_text)
        except AgentGenerationError:  # how smolagents wraps what a call raised, see below
            if self.failure is None:
                raise
        except Exception as error:  # an agent may bring smolagents to raise anything; it costs this attempt
            if self.failure is None and self.unusable < UNUSABLE_IN_A_ROW:
                raise ParseError(f"the agent's run broke off: {type(error).__name__}: {str(error)[:300]}") from error
        finally:
            agent.cleanup()
        if self.failure is not None:  # smolagents wraps it, shows it to the model or makes an answer of it
            raise self.failure
        steps = [step for step in agent.memory.steps if isinstance(step, ActionStep)]
        endings = [*(reply.finish_reason for reply in model.replies), *[""] * len(steps)]
        record = tuple(_step(step, ending) for step, ending in zip(steps, endings, strict=False))
        return AgentRecord(output, tuple(model.replies), record)

    def _look_at(self, step: ActionStep, model: "_BridgedModel", agent: smolagents.CodeAgent) -> None:
        """Tell the agent what was wrong with a reply that holds no whole step; the third in a row ends its run."""
        problem = unusable(model.replies[-1]) if model.replies else None
        self.unusable = self.unusable + 1 if problem else 0
        if problem:
            step.model_output = model.replies[-1].text or "(empty reply)"
            step.error = AgentParsingError(problem, agent.logger)
        if self.unusable == UNUSABLE_IN_A_ROW:
            agent.interrupt()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop; an error there fails the run, even if smolagents goes on."""
        if self.failure is not None:
            coroutine.close()
            raise self.failure
        try:
            return self.bridge.call(coroutine)
        except Exception as error:
            self.failure = error
            raise

    def _agent(self, model: "_BridgedModel", tools: Sequence[smolagents.Tool], max_steps: int) -> smolagents.CodeAgent:
        executor = make_executor(self.pool.executor, self.pool.sandboxes)
        return smolagents.CodeAgent(
            tools=list(tools),
            model=model,
            prompt_templates=self.pool.templates,
            instructions=self.pool.instructions,
            executor=executor,
            executor_type="docker" if executor is None else "local",
            max_steps=max_steps,
            logger=self.pool.logger,
        )


class _BridgedModel(smolagents.Model):  # type: ignore[misc]
    """What smolagents calls; the call itself happens on the event loop, in the shared client."""

    def __init__(self, model: Model, call: Call[Reply]) -> None:
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
        # Half a block must not run, and smolagents would run an empty text without an error.
        text = NO_STEP if stop_sequences and unusable(reply) else step_text(reply)
        return ChatMessage(MessageRole.ASSISTANT, text, token_usage=usage)


def plain(content: Any) -> str:
    """Any content of a message, or answer of an agent, as text."""
    if isinstance(content, list) and all(isinstance(part, dict) and "text" in part for part in content):
        return "\n".join(str(part["text"]) for part in content)
    return "" if content is None else str(content)


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
            flat[-1]["content"] += "\n" + plain(message.content)
        else:
            flat.append({"role": role, "content": plain(message.content)})
    return flat


def _step(step: ActionStep, ending: str) -> dict[str, Any]:
    return {
        "step": step.step_number,
        "output": plain(step.model_output),
        "code": step.code_action or "",
        "observation": step.observations or "",
        "error": str(step.error) if step.error else "",
        "finish_reason": ending,
    }
