"""What the client costs and how well it keeps the pace, against an endpoint in a process of its own.

python bench/client.py cpu            CPU per call, ours and the SDK's, at concurrency 20
python bench/client.py path           49 tasks of serial calls at concurrency 20 against their critical path
python bench/client.py pace 60 600 6000   requests in the fullest minute against the limit, 65 s for each limit
"""

import argparse
import asyncio
import bisect
import contextlib
import json
import math
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from flex.rate_limiter import RateLimitedLLMClient

ROOT = Path(__file__).parents[1]
MESSAGES = [{"role": "system", "content": "rules " * 300}, {"role": "user", "content": "question " * 300}]


@contextlib.contextmanager
def endpoint(latency: float) -> Iterator[str]:
    """The address of an endpoint that takes `latency` seconds for every answer."""
    command = [sys.executable, ROOT / "tests/endpoint.py", "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def at_once(ask: Callable[[], Awaitable[object]], times: int, concurrency: int = 20) -> None:
    """Call `ask` so many times from `concurrency` tasks."""

    async def caller() -> None:
        for _ in range(times // concurrency):
            await ask()

    await asyncio.gather(*(caller() for _ in range(concurrency)))


async def cpu_per_call(ask: Callable[[], Awaitable[object]], times: int = 1000) -> float:
    """Milliseconds of this process's CPU; connections are warm."""
    await at_once(ask, 40)
    start = time.process_time()
    await at_once(ask, times)
    return (time.process_time() - start) / times * 1e3


async def cpu() -> None:
    import openai

    with endpoint(latency=0.02) as url:
        sdk = openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0)
        completions = sdk.chat.completions
        client = RateLimitedLLMClient(base_url=url)
        paced = RateLimitedLLMClient(base_url=url, requests_per_minute=10**6, tokens_per_minute=10**9)
        asks = {
            "RateLimitedLLMClient": lambda: client.complete("m", MESSAGES, role="actor"),
            "... paced": lambda: paced.complete("m", MESSAGES, role="actor"),
            "SDK, with_raw_response": lambda: completions.with_raw_response.create(model="m", messages=MESSAGES),
            "SDK, create": lambda: completions.create(model="m", messages=MESSAGES),
        }
        for name, ask in asks.items():
            print(f"{name:24} {await cpu_per_call(ask):5.2f} ms CPU per call")
        await asyncio.gather(client.close(), paced.close(), sdk.close())


async def path(tasks: int = 49, calls: int = 6, latency: float = 0.2, concurrency: int = 20) -> None:
    with endpoint(latency) as url:
        client, gate = RateLimitedLLMClient(base_url=url), asyncio.Semaphore(concurrency)

        async def explore() -> None:
            async with gate:
                for _ in range(calls):
                    await client.complete("m", MESSAGES)

        await client.complete("m", MESSAGES)
        start = time.perf_counter()
        await asyncio.gather(*(explore() for _ in range(tasks)))
        seconds = time.perf_counter() - start
        await client.close()
    critical = math.ceil(tasks / concurrency) * calls * latency
    ratio = seconds / critical
    print(f"{tasks} tasks of {calls} calls: {seconds:.2f} s = {ratio:.3f} x the critical path of {critical:.2f} s")


async def pace(limit: int, seconds: float = 65) -> None:
    with endpoint(latency=0.1) as url:
        client = RateLimitedLLMClient(base_url=url, requests_per_minute=limit)

        async def caller() -> None:
            while time.perf_counter() < end:
                await client.complete("m", MESSAGES)

        end = time.perf_counter() + seconds
        await asyncio.gather(*(caller() for _ in range(min(limit, 40))))
        await client.close()
        with urllib.request.urlopen(url.removesuffix("/v1") + "/calls") as reply:
            times = json.load(reply)["times"]
    fullest = max(bisect.bisect_right(times, start + 60) - n for n, start in enumerate(times))
    print(f"limit {limit}: {fullest} in the fullest closed minute = {fullest / limit:.1%}, {len(times)} in all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cpu", "path", "pace"])
    parser.add_argument("limits", nargs="*", type=int, help="requests per minute, for pace")
    args = parser.parse_args()
    if args.what == "pace":
        for limit in args.limits or [60, 600, 6000]:
            asyncio.run(pace(limit))
    else:
        asyncio.run({"cpu": cpu, "path": path}[args.what]())


if __name__ == "__main__":
    main()
