"""What an agent's reply amounts to as a step: its thought and code, a tool called in the API's form, or nothing."""

import json

from flex.types import Reply

UNUSABLE_IN_A_ROW = 3
"""So many replies in a row without a step end an agent's run."""
NO_STEP = "(no step)"
"""In place of a reply without a step; smolagents finds no code in it and says so."""
_RUNS_CODE = ("python_interpreter", "python", "code_interpreter", "ipython", "execute_python", "run_python", "code")


def unusable(reply: Reply) -> str | None:
    """What is wrong with a reply that holds no whole step, in words for the agent; None when it can be worked with."""
    if reply.finish_reason == "length":
        return "Your reply was cut off at the token limit and nothing of it was run. Think in fewer words."
    if reply.finish_reason in ("filtered", "error"):
        return "Your reply did not come through and nothing of it was run. Send the step again."
    if not step_text(reply):
        problem = "There are no tools to call but in code." if reply.calls else "Your reply was empty."
        return f"{problem} Reply with a thought and one block of code between <code> and </code>."
    return None


def step_text(reply: Reply) -> str:
    """The reply's text, with the code that its calls of tools amount to where it has none of its own."""
    if "<code>" in reply.text or "```" in reply.text:
        return reply.text
    blocks = [f"<code>\n{code}\n</code>" for name, given in reply.calls if (code := _as_code(name, given))]
    return "\n".join(filter(None, (reply.text, *blocks)))


def _as_code(name: str, arguments: str) -> str:
    """A call in the API's form as Python, "" where it cannot be one."""
    name = name.rpartition(".")[2]
    try:
        given = json.loads(arguments, strict=False)
    except ValueError:
        given = arguments if name in _RUNS_CODE else None
    if name in _RUNS_CODE:
        values = [given] if isinstance(given, str) else list(given.values()) if isinstance(given, dict) else []
        return values[0] if len(values) == 1 and isinstance(values[0], str) else ""
    if not isinstance(given, dict) or not all(key.isidentifier() for key in (name, *given)):
        return ""
    call = f"{name}({', '.join(f'{key}={value!r}' for key, value in given.items())})"
    return call if name == "final_answer" else f"print({call})"
