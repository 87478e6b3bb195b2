"""Where an agent's code runs: one seam, three ways.

monty    a sandboxed Python subset in a worker process: pre-emptive time limit, memory cap, no files, no network
local    smolagents' interpreter in this process: more of Python, but no sandbox (code that means to can read files)
docker   smolagents' container executor (needs a Docker engine and the extra `docker`)
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pydantic_monty as monty
from smolagents.local_python_executor import CodeOutput, LocalPythonExecutor, PythonExecutor
from smolagents.utils import truncate_content

from flex.concurrency import with_current_context
from flex.errors import SettingsError
from flex.text import valid_utf8

EXECUTORS = ("monty", "local", "docker")
SECONDS_PER_BLOCK = 30
"""Computing time of one block of an agent's code; waiting for a tool does not count."""
BYTES_OF_MEMORY = 512 * 1024 * 1024
MAX_OUTPUT_CHARACTERS = 20_000
"""Of what a block prints, and of an answer; a longer text keeps its head and its tail."""
LOCAL_IMPORTS = ["fractions", "decimal", "functools", "operator", "json"]
"""Beside what smolagents allows anyway; prompts/executor_local.txt names them to the agent."""

ASSIGNED = "final_answer_variable"
"""What smolagents renames a variable `final_answer` to, beside a call of the function; and so do we without one."""


class _Finished(KeyboardInterrupt):
    """Ends a block at `final_answer`; not an Exception, so that the agent's own `except` does not swallow it."""


class MontyExecutor(PythonExecutor):  # type: ignore[misc]
    """One session in a pool of sandboxed workers; state lasts from block to block."""

    def __init__(self, pool: monty.Monty) -> None:
        self.state: dict[str, Any] = {}
        self._pool = pool
        self._tools: dict[str, Callable[..., Any]] = {}
        self._answers: list[Any] = []
        self._session: monty.MontySession | None = None
        self._checkout: Any = None

    def send_tools(self, tools: Mapping[str, Callable[..., Any]]) -> None:
        self._tools = {name: partial(tool) for name, tool in tools.items()}
        self._tools["final_answer"] = self._finish

    def send_variables(self, variables: Mapping[str, Any]) -> None:
        self.state.update(variables)

    def __call__(self, code_action: str) -> CodeOutput:
        printed = monty.CollectString()
        self._answers.clear()
        output = None
        try:
            output = self._open().feed_run(handing_in(code_action), external_lookup=self._tools, print_callback=printed)
        except (monty.MontyRuntimeError, monty.MontySyntaxError) as error:
            if not self._answers:
                if "TimeoutError" in str(error):
                    self.cleanup()  # monty leaves no guarantees about the heap then
                raise RuntimeError(error.display(format="type-msg")) from None
        except monty.MontyCrashedError as error:
            self.cleanup()
            raise RuntimeError(f"the code ended its worker: {error}; all variables are lost") from None
        finally:
            logs = self.state["_print_outputs"] = _shown(printed.output)
        if self._answers:
            return CodeOutput(_bounded(self._answers[0]), logs, is_final_answer=True)
        return CodeOutput(_bounded(output), logs, is_final_answer=False)

    def cleanup(self) -> None:
        """Give the worker back to the pool."""
        if self._checkout is not None:
            self._checkout.__exit__(None, None, None)
            self._checkout = self._session = None

    def _open(self) -> monty.MontySession:
        if self._session is None:
            limits: monty.ResourceLimits = {
                "max_feed_duration_secs": SECONDS_PER_BLOCK,
                "max_memory": BYTES_OF_MEMORY,
                "max_suspensions": 10_000,
            }
            self._checkout = self._pool.checkout(limits=limits)
            self._session = self._checkout.__enter__()
        return self._session

    def _finish(self, *args: Any, **kwargs: Any) -> None:
        given = [*args, *kwargs.values()]
        if len(given) != 1 or not set(kwargs) <= {"answer"}:
            raise TypeError("final_answer takes exactly one argument, the answer: final_answer(answer)")
        self._answers.append(given[0])
        raise _Finished


class LocalExecutor(LocalPythonExecutor):  # type: ignore[misc]
    """smolagents' interpreter, with the same bounds on what a block may give back."""

    def __init__(self) -> None:
        super().__init__(LOCAL_IMPORTS, max_print_outputs_length=MAX_OUTPUT_CHARACTERS)

    def send_tools(self, tools: Mapping[str, Callable[..., Any]]) -> None:
        # smolagents runs a block in a new thread, where the usage and the span around the agent would be unknown.
        super().send_tools({name: with_current_context(tool) for name, tool in tools.items()})

    def __call__(self, code_action: str) -> CodeOutput:
        try:
            made = super().__call__(handing_in(code_action))
        except Exception:
            raise  # the agent reads what its code raised; only what is no Exception is put in words below
        except BaseException as error:  # SystemExit, KeyboardInterrupt: the agent's, this is no main thread
            raise RuntimeError(f"the code raised {type(error).__name__}: {error}") from None
        return CodeOutput(_bounded(made.output), _shown(made.logs), made.is_final_answer)


def handing_in(code: str) -> str:
    """A block in which a value is assigned to `final_answer` hands it in at its end; all others as they are."""
    if "final_answer" not in code:
        return code
    try:
        block = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):  # the interpreter says it better
        return code
    names = [node for node in ast.walk(block) if isinstance(node, ast.Name) and node.id == "final_answer"]
    assigned = {id(name) for name in names if isinstance(name.ctx, ast.Store)}
    if not any(id(node) in assigned for statement in block.body for node in _outside_functions(statement)):
        return code
    called = {id(node.func) for node in ast.walk(block) if isinstance(node, ast.Call)}
    for name in names:
        name.id = name.id if id(name) in called else ASSIGNED
    at_the_end = (
        "" if called & {id(name) for name in names} else f"\nif {ASSIGNED} is not None:\n    final_answer({ASSIGNED})"
    )
    return f"{ASSIGNED} = None\n{ast.unparse(block)}{at_the_end}"


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
        for child in ast.iter_child_nodes(node):
            yield from _outside_functions(child)


def _bounded(value: Any) -> Any:
    """An agent's value, a long text cut. Raises RuntimeError, which the agent reads, for one that has no text."""
    try:
        text = str(value)
    except Exception as error:  # anything the agent's own object does; 5,000 digits and deep nesting do it too
        raise RuntimeError(f"this value cannot be shown: {type(error).__name__}: {error}") from None
    return value if len(text) <= MAX_OUTPUT_CHARACTERS and not isinstance(value, str) else _shown(text)


def _shown(text: str) -> str:
    return valid_utf8(str(truncate_content(text, MAX_OUTPUT_CHARACTERS)))


def make_executor(name: str, pool: monty.Monty | None) -> PythonExecutor | None:
    """The executor of that name; None means that smolagents makes it itself (docker). Raises SettingsError."""
    if name == "monty" and pool is not None:
        return MontyExecutor(pool)
    if name == "local":
        return LocalExecutor()
    if name == "docker":
        return None
    raise SettingsError(f"unknown executor '{name}'; choose from {', '.join(EXECUTORS)}")
