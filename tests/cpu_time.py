"""Whether something takes long, on however busy a machine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cpu_seconds_below(limit: float) -> Iterator[None]:
    """Fails when the block takes more CPU time of this process; what others do meanwhile does not count."""
    start = time.process_time()
    yield
    assert time.process_time() - start < limit
