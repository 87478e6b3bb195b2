"""Replies that keep their contracts, for scripted models."""

import json
from typing import Any


def fenced(value: Any) -> str:
    return f"Here it is.\n```json\n{json.dumps(value)}\n```"


def accept(text: str = "Sound.") -> str:
    return f"{text}\n<next_step>end</next_step>"


def refuse(text: str = "The second step does not follow.") -> str:
    return f"{text}\n<next_step>continue</next_step>"


def experience(method: str = "Count the complement.", *rules: str, **more: Any) -> str:
    written = [{"rule": rule, "examples": [f"as in {rule}"]} for rule in rules or ("When 'at least one', subtract.",)]
    entry = {"problem_category": "Counting", "method": method, "rules": written, "revised_trajectory": "1 + 1 = 2"}
    return fenced({**entry, "priority": 3, **more})


def decision(action: str, target: str | None = None, **more: Any) -> str:
    return fenced({"action": action, "target": target, "reason": "as the test wants it", **more})
