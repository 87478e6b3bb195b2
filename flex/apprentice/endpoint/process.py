"""The apprentice in a process of its own, so that client and server do not share an interpreter lock."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS_TO_STOP = 5


@contextmanager
def running_apprentice(port: int = 0, *, latency: float = 0.0) -> Iterator[str]:
    """Start the apprentice, yield its base URL (`http://127.0.0.1:<port>/v1`), stop it at the end.

    It also stops by itself when this process ends, however that happens. Raises RuntimeError when it cannot start.
    """
    command = [
        sys.executable,
        "-m",
        "flex",
        "apprentice",
        "--port",
        str(port),
        "--latency",
        str(latency),
        "--until_eof",
    ]
    root = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            base_url, *_ = child.stdout.readline().split() or [""]
            if not base_url:
                raise RuntimeError(f"the apprentice did not start on port {port}: exit code {child.wait()}")
            yield base_url
        finally:
            child.stdin.close()
            try:
                child.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                child.kill()
