"""`flex apprentice`: serve the embedded offline endpoint on loopback until Ctrl-C."""

from collections.abc import Sequence

from flex.cli.options import Parser, natural


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex apprentice", "Serve the apprentice, a mechanical learner, as an OpenAI-compatible endpoint.")
    parser.add_argument("--port", type=natural, default=8399, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds to wait before each reply")
    options = parser.parse(argv)

    from flex.apprentice.server import serve

    try:
        serve(options.port, latency=options.latency)
    except KeyboardInterrupt:
        return 130
    return 0
