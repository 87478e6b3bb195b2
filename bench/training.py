"""What a training run and an agent cost beside the endpoint's own time: wall clock, CPU, the updater's prompt.

python bench/training.py path      49 tasks at concurrency 20 and fixed latency, against their critical path
python bench/training.py evolve    the same with an updater that merges every fourth experience, at 2 s
python bench/training.py agent     CPU per agent step
python bench/training.py updater   characters of the updater's prompt at N = 50 and N = 1,904
"""

import argparse
import asyncio
import contextlib
import heapq
import json
import multiprocessing
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from flex.actor import Actor
from flex.benchmarks import get_benchmark
from flex.critic import Critic
from flex.evaluation.loop import EvalConfig, evaluate
from flex.evaluation.settings import SETTINGS, Resources, solver
from flex.explib import ExpLib
from flex.files.runlog import RunLog
from flex.memory_retriever import MemoryRetriever
from flex.prompt import Prompts
from flex.rate_limiter import ChatModel, RateLimitedLLMClient
from flex.reject_sampling import Limits, Team, TrainConfig, train
from flex.testing import RuleModel
from flex.types import Experience, Rule, Task, Trajectory
from flex.updater import Updater
from flex.verifier import Verifier

sys.path.insert(0, str(Path(__file__).parents[1]))
MATH, PROMPTS = get_benchmark("math"), Prompts("aime")
LIMITS = Limits(max_rollouts=2, max_rounds=3)
EXPERIENCE = (
    '```json\n{"problem_category": "c", "method": "m of %s", "rules": [{"rule": "r of %s", "examples": ["e"]}], '
    '"revised_trajectory": "t", "priority": 1}\n```'
)
_TASK = re.compile(r"Task (\d+) needs")
_MET = re.compile(r'<similar_experience id="([^"]+)"')
_NEW = re.compile(r"<new_experience.*?m of (\d+)", re.DOTALL)


def decide(prompt: str) -> str:
    """Every fourth new experience merges into the most similar entry."""
    merges = (new := _NEW.search(prompt)) is not None and int(new[1]) % 4 == 3
    action = (
        {"action": "merge", "target": _MET.findall(prompt)[0], "novel_rules": [1]} if merges else {"action": "insert"}
    )
    return f"```json\n{json.dumps(action)}\n```"


def reply(call) -> str:
    """Task n is solved in round n % 4 + 1, counted over rollouts; agents read the library, then answer."""
    messages = call.body["messages"]
    text = messages[-1]["content"]
    if "<next_step>" in text:
        solved = "ROUND" in text and "SOLVED" in text
        return f"Go on.\n<next_step>{'end' if solved else 'continue'}</next_step>"
    if "<new_experience" in text:
        return decide(text)
    if '"revised_trajectory"' in text:
        number = _TASK.findall(text)[-1]
        return EXPERIENCE % (number, number)
    if "<code>" in messages[0]["content"]:
        return "<code>\nfinal_answer(1)\n</code>" if len(messages) > 3 else "<code>\nprint(1 + 1)\n</code>"
    rounds = sum(m["role"] == "assistant" for m in messages)
    wanted = int(messages[1]["content"].rsplit("needs ", 1)[1].split()[0])
    return f"ROUND {rounds} " + ("SOLVED: the answer is 1" if rounds + 1 >= wanted else "open: the answer is 0")


def serve(latency: float, pipe) -> None:
    from tests.fake_endpoint import Endpoint

    with Endpoint(default=reply, latency=latency) as endpoint:
        pipe.send(endpoint.url)
        pipe.recv()


@contextlib.contextmanager
def endpoint(latency: float) -> Iterator[str]:
    """The address of an endpoint in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(latency, theirs))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("stop")
        process.join()


def tasks(count: int) -> list[Task]:
    return [replace(MATH.task(f"Task {n} needs {n % 5 + 1} rounds.", "1"), index=n) for n in range(count)]


def chain(task: Task) -> int:
    """Serial calls of one task: an attempt and a verdict a round, then the critic (its rollouts at once)."""
    wanted = task.index % 5 + 1
    rounds = wanted if wanted <= LIMITS.max_rounds else LIMITS.max_rounds * LIMITS.max_rollouts
    return 2 * rounds + 1


def critical_path(chains: Sequence[int], concurrency: int) -> int:
    """Calls in a row when tasks start in order on `concurrency` places."""
    places = [0] * concurrency
    for length in chains:
        heapq.heappush(places, heapq.heappop(places) + length)
    return max(places)


def team(client: RateLimitedLLMClient) -> Team:
    models = {role: ChatModel("m", client, role=role) for role in ("actor", "verifier", "critic", "updater")}
    return Team(
        Actor(models["actor"], MATH, PROMPTS),
        Verifier(models["verifier"], MATH, PROMPTS, "both"),  # so that every round asks it
        Critic(models["critic"], PROMPTS),
        Updater(models["updater"], PROMPTS),
        MemoryRetriever(models["actor"], PROMPTS),
    )


async def evolve() -> None:
    await path(latency=2.0, direct_add=False)


async def path(latency: float = 0.5, concurrency: int = 20, direct_add: bool = True) -> None:
    config = TrainConfig(limits=LIMITS, batch_size=concurrency, direct_add=direct_add)
    work = tasks(49)
    calls_in_a_row = critical_path([chain(task) for task in work], concurrency) + (not direct_add)
    best = calls_in_a_row * latency
    with endpoint(latency) as url, tempfile.TemporaryDirectory() as folder, RunLog(Path(folder) / "run") as run:
        async with RateLimitedLLMClient(base_url=url) as client:
            run.start({})
            await team(client).actor.attempt(Trajectory(work[0]))  # imports are paid for once
            started, cpu = time.monotonic(), time.process_time()
            progress = await train(work, team(client), ExpLib(), config, run, Path(folder) / "x.json")
            took, cpu = time.monotonic() - started, time.process_time() - cpu
            calls = client.total.calls - 1
    asked = client.usage["updater"].calls if "updater" in client.usage else 0
    print(f"{progress.inserted} inserted, {progress.merged} merged, {asked} calls of the updater")
    print(
        f"{progress.explored} tasks, {calls} calls: {took:.2f} s, critical path {best:.2f} s, ratio {took / best:.3f}"
    )
    print(f"CPU per training call {1e3 * cpu / calls:.2f} ms")


async def agent(count: int = 200) -> None:
    config = EvalConfig(SETTINGS["agent"], concurrency=20)
    with endpoint(0.0) as url, tempfile.TemporaryDirectory() as folder:
        async with RateLimitedLLMClient(base_url=url) as client:
            resources = Resources(ChatModel("m", client, role="actor"), MATH, PROMPTS, concurrency=20)
            with solver(config.setting, resources) as solve:
                await evaluate(tasks(20), MATH, solve, config, Path(folder))
                Path(folder, "results.jsonl").unlink()
                calls, cpu = client.total.calls, time.process_time()
                await evaluate(tasks(count), MATH, solve, config, Path(folder))
                cpu, calls = time.process_time() - cpu, client.total.calls - calls
    print(f"{calls} agent steps: CPU per step {1e3 * cpu / calls:.2f} ms")


async def updater() -> None:
    lengths = []
    for size in (50, 1904):
        library = ExpLib()
        for n in range(size):
            library.add(Experience(f"method {n} " + "counts " * 50, (Rule(f"rule {n}"),), f"case {n} " + "so " * 200))
        model = RuleModel(lambda _: '```json\n{"action": "insert"}\n```')
        await Updater(model, PROMPTS).decide(Experience("counts a method", (Rule("rule"),), "case"), library)
        lengths.append(len(model.asked[0][0]["content"]))
    print(f"updater's prompt: {lengths[0]} characters at N = 50, {lengths[1]} at N = 1,904")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("path", "evolve", "agent", "updater"))
    asyncio.run({"path": path, "evolve": evolve, "agent": agent, "updater": updater}[parser.parse_args().what]())


if __name__ == "__main__":
    main()
