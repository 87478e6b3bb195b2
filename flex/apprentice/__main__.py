"""`python -m flex.apprentice --port P`: prints its base URL on the first line, then serves."""

import argparse
import os
import sys
import threading
from collections.abc import Sequence

from flex.apprentice.endpoint.server import serve


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m flex.apprentice", description="Serve the apprentice on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds to wait before each reply")
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input is closed")
    args = parser.parse_args(argv)
    if args.until_eof:
        threading.Thread(target=_stop_at_eof, daemon=True).start()
    try:
        serve(args.port, latency=args.latency, announce=lambda base_url: print(base_url, flush=True))
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"cannot serve on port {args.port}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


def _stop_at_eof() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # whoever started this is gone or done; there is nothing to save


if __name__ == "__main__":
    raise SystemExit(main())
