"""How a text that a model wrote may stand in a page: visible, of bounded length, and without tricks.

Escaping is left to Jinja2 (autoescape) and to `json_island`; here it is about what a reader would be misled by.
"""

import json
import re
from typing import Any

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_UNSEEN = re.compile("[\x80-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\uffff]")
"""What is no text but acts on it: direction overrides, invisible signs, lone surrogates."""
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def visible(text: str) -> str:
    """The text with control characters as their pictures, and invisible ones by their number: `[U+202E]`."""
    text = text.replace("\r\n", "\n")
    text = _CONTROL.sub(lambda found: "\u2421" if found[0] == "\x7f" else chr(0x2400 + ord(found[0])), text)
    return _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def shortened(text: str, limit: int) -> str:
    """The visible text, its middle left out and counted when it is longer than `limit` characters."""
    if len(text) <= limit:
        return visible(text)
    head, tail = limit * 3 // 4, limit // 4
    left_out = len(text) - head - tail
    return f"{visible(text[:head])}\n[... {left_out:,} characters left out ...]\n{visible(text[-tail:])}"


def json_island(value: Any) -> str:
    """JSON that may stand inside `<script type="application/json">`, whatever its texts say."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda found: _ESCAPES[found[0]], text)
