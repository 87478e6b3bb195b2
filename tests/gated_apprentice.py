"""An apprentice that stops answering in the middle of a run, so that the run is under way when it is interrupted.

with GatedApprentice(lambda: rows(folder) >= 4) as slow:
    process = subprocess.Popen(..., stderr=subprocess.PIPE, text=True)
    message = slow.interrupt(process)
"""

import json
import signal
import subprocess
import threading
from collections.abc import Callable

from flex.apprentice.endpoint.completions import completion, parse_request
from flex.apprentice.roles import reply
from tests.fake_endpoint import Answer, Call, Endpoint

HANGS = 300
"""Seconds after which something hangs: far more than a busy machine takes."""


class GatedApprentice(Endpoint):
    """Answers as the apprentice; once `closes()`, every answer waits for `.gate` to be set."""

    def __init__(self, closes: Callable[[], bool]) -> None:
        super().__init__(default=self._reply)
        self.gate = threading.Event()
        self._closes = closes
        self._reached = threading.Event()

    def _reply(self, call: Call) -> Answer:
        request = parse_request(json.dumps(call.body).encode())
        body = completion(request, reply(request.messages, request.model)).body()
        if not self._reached.is_set() and not self._closes():
            return Answer(body=body)
        self._reached.set()
        return Answer(body=body, gate=self.gate)

    def wait(self) -> None:
        """Until a call waits at the gate."""
        assert self._reached.wait(HANGS), "the run never came this far"

    def interrupt(self, process: "subprocess.Popen[str]") -> str:
        """Press Ctrl-C while calls wait at the gate, and let them through once that was heard; what it says then."""
        self.wait()
        process.send_signal(signal.SIGINT)
        with process.stderr as stderr:
            assert any("finishing what is under way" in line for line in stderr)
            self.gate.set()
            message = stderr.read()
        process.wait(HANGS)
        return message
