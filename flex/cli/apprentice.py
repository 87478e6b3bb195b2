"""`flex apprentice`: serve the embedded offline endpoint on loopback until Ctrl-C."""

import argparse
import os
import sys
import threading
from collections.abc import Sequence

from flex.cli.flags import Parser, from_zero, number
from flex.runs.fields import Range


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex apprentice", "Serve the apprentice, a mechanical learner, as an OpenAI-compatible endpoint.")
    parser.add_argument("--port", type=port, default=8399, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--latency", type=from_zero, default=0.0, help="seconds to wait before each reply")
    parser.add_argument("--until_eof", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse(argv)
    if options.until_eof:
        threading.Thread(target=_stop_at_eof, daemon=True).start()

    from flex.apprentice.endpoint.server import serve

    try:
        serve(options.port, latency=options.latency, announce=announce)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"error: cannot serve on port {options.port}: {error.strerror}; try --port 0", file=sys.stderr)
        return 2
    return 0


def port(text: str) -> int:
    return int(number(text, int, Range("a whole number from 0 to 65535", 0, most=65535)))


def announce(base_url: str) -> None:
    from flex.apprentice.endpoint.completions import MODELS

    print(f"{base_url}  (models: {', '.join(MODELS)}; Ctrl-C ends it)", flush=True)


def _stop_at_eof() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # who started this with a pipe is gone or done; there is nothing to save
