"""What a run is asked to do: frozen values, checked when they are made.

Their fields, with the sentence below each of them, are the flags of the commands too (flex/cli/flags.py), so a default
and its description stand here and nowhere else. A path may be given as a text.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from flex.errors import SettingsError
from flex.runs.fields import AboveZero, Checked, FromZero, Natural, Positive, Temperature
from flex.training.config import Limits, TrainConfig

NOBODY = "http://127.0.0.1:9/v1"
"""An address that is never asked."""
OURS = ("model", "messages", "stream")
"""What `extra_body` must not replace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig(Checked):
    """Endpoint: how to talk to it; its address and key come from BASE_URL and API_KEY."""

    base_url: str | None = None
    """instead of BASE_URL"""
    requests_per_minute: AboveZero | None = None
    """never more in any 60 seconds"""
    tokens_per_minute: Positive | None = None
    """never more in any 60 seconds"""
    max_connections: Positive = 100
    """calls in flight at once"""
    max_retries: Natural = 6
    """of a call that fails for a passing reason"""
    timeout: AboveZero = 600.0
    """seconds to wait for a reply"""
    temperature: Temperature | None = None
    """of the actor; unset: the endpoint's default"""
    max_tokens: Positive | None = None
    """of every reply; unset: the endpoint's default"""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "default", "auto"] | None = (
        None
    )
    """passed through to models that reason; a word of its own goes into --extra_body"""
    response_format: Literal["auto", "off"] = "auto"
    """auto: an endpoint that can holds replies to their JSON schema"""
    extra_body: Mapping[str, Any] | None = None
    """JSON object merged into every request"""

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        if self.extra_body is not None and (problem := body_problem(self.extra_body)):
            raise SettingsError(f"extra_body: {problem}")


def body_problem(body: Any) -> str | None:
    """Why a value cannot be merged into every request; None when it can."""
    if not isinstance(body, Mapping):
        return "not a JSON object"
    try:
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()  # what will be sent
    except (TypeError, ValueError, RecursionError) as error:
        return f"not valid JSON: {error}"
    taken = next((name for name in OURS if name in body), None)
    return f"'{taken}' is set by flex itself and cannot be replaced" if taken else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Checked):
    """Budget: what a run may spend; one that reaches it stops cleanly and can be resumed."""

    max_tokens_total: Positive | None = None
    """tokens of all roles together"""
    max_usd: AboveZero | None = None
    """US dollars, all roles together"""
    prices: Path | None = None
    """a JSON file of prices, see docs/formats.md"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Checked):
    """What training and evaluation are both told."""

    benchmark: str
    """which one"""
    model: str
    """the actor"""
    retriever_model: str | None = None
    """reads the library for the actor; default: the actor's"""
    data_path: Path | None = None
    """the split, a .jsonl file or its folder; default: the benchmark's folder"""
    library: Path | None = None
    """an experience library to read, or to learn on from: a file or a folder"""
    allow_other_library: bool = False
    """take one that was learned on another benchmark"""
    samples: Positive | None = None
    """only the first so many tasks"""
    telemetry: bool = True
    """send traces to a collector that listens"""
    cache: bool = True
    """keep every reply in the run's folder, and pay for none twice"""
    replay: Path | None = None
    """answer from the replies that this run's folder kept, and ask nobody"""
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    budget: Budget = field(default_factory=Budget)

    @property
    def base_url(self) -> str | None:
        """The endpoint's address, None for that of the environment; a run that is replayed needs none."""
        return NOBODY if self.replay else self.endpoint.base_url

    def check_replay(self, **written: Path) -> None:
        """Raises SettingsError where something is to be written into the folder that is replayed."""
        for name, path in written.items():
            if self.replay and path.resolve().is_relative_to(self.replay.resolve()):
                raise SettingsError(f"{name} {path} lies in the replayed folder {self.replay}; give another --{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRun(Run):
    """Explore a train split by reject sampling and grow an experience library."""

    verifier_model: str | None = None
    """default: the actor's"""
    critic_model: str | None = None
    """default: the actor's"""
    updater_model: str | None = None
    """default: the critic's"""
    save_to: Path | None = None
    """where to save the library; default: exps/<benchmark>.json"""
    out: Path | None = None
    """folder of the run; name an old one to resume it; default: runs/<library>-<time>"""
    seed: Natural | None = None
    """shuffle the tasks with it; unset: the file's order"""
    epochs: Positive = TrainConfig().epochs
    """passes over the split"""
    batch_size: Positive = TrainConfig().batch_size
    """tasks between saves; with --use_library, those explored with one and the same library"""
    max_concurrent: Positive | None = None
    """tasks explored at once; default: --batch_size"""
    max_rounds: Positive = Limits().max_rounds
    """attempts within a rollout"""
    max_rollouts: Positive = Limits().max_rollouts
    """rollouts of a task that is not solved"""
    acceptance: Literal["score", "verifier", "both"] = "score"
    """who accepts an attempt where the target is known; elsewhere the verifier does"""
    with_gt: bool = True
    """verifier and critic may see the target"""
    use_library: bool = False
    """the actor consults the growing library"""
    retrieval: Literal["hierarchical", "flat"] | None = None
    """how the library is read; default: the benchmark's way"""
    contrast: bool = False
    """also distil what parts failed from solved rollouts"""
    direct_add: bool = False
    """insert every experience, ask no updater"""
    speculate: Natural | None = None
    """ask the updater about so many ahead of their turn: faster, dearer; unset: at most half a call wasted each"""
    llm_system_prompt: Path | None = None
    """a file of yours instead of ours"""
    verifier_prompt: Path | None = None
    """a file of yours instead of ours"""

    @property
    def models(self) -> dict[str, str]:
        """The names of the models by role."""
        critic = self.critic_model or self.model
        return {
            "actor": self.model,
            "verifier": self.verifier_model or self.model,
            "critic": critic,
            "updater": self.updater_model or critic,
            "retriever": self.retriever_model or self.model,
        }

    @property
    def store(self) -> Path:
        return self.save_to or Path("exps") / f"{self.benchmark}.json"

    @property
    def folder(self) -> Path:
        assert self.out is not None  # filled in when it was made
        return self.out

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        if self.out is None:
            started = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
            object.__setattr__(self, "out", Path("runs") / f"{self.store.stem}-{started}")
        self.check_replay(out=self.folder, save_to=self.store)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalRun(Run):
    """Answer a test split in several settings and compare them."""

    settings: tuple[str, ...] = ("vanilla", "agent", "flex")
    """comma-separated: vanilla, icl, agent, flex, flex-empty, flex-shuffled, flex-chat"""
    primary: tuple[str, ...] | None = None
    """the comparison that counts, as two settings; default: flex,agent, else the nearest to it"""
    margin: AboveZero | None = None
    """points that "no worse" may lose; default: 2"""
    split: str = "test"
    """which split of a folder"""
    train_path: Path | None = None
    """the train split; default: train.jsonl beside the test split"""
    out: Path | None = None
    """folder of the run; default: results/<benchmark>_<model>"""
    repeats: Positive = 1
    """independent answers per task and setting"""
    max_concurrent: Positive = 10
    """tasks answered at once"""
    batch_size: Positive | None = None
    """tasks between pauses; default: --max_concurrent"""
    batch_pause: FromZero = 0.0
    """seconds to wait between batches"""
    retrieval: Literal["hierarchical", "flat", "agentic"] | None = None
    """how the library is read; default: the benchmark's way"""
    icl_k: Positive | None = None
    """training examples in the prompt of icl; default: the benchmark's number"""
    icl_selection: Literal["first", "random", "similar"] = "first"
    """which ones"""
    executor: Literal["monty", "local", "docker"] = "monty"
    """where the agent's code runs"""
    allow_leakage: bool = False
    """show experiences to a task even if they give its answer away"""
    actor_prompt: Path | None = None
    """a file of yours instead of ours"""
    memory_prompt: Path | None = None
    """a file of yours instead of ours"""

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        self.check_replay(out=self.folder)
        if self.primary is not None and (len(self.primary) != 2 or not {*self.primary} <= {*self.settings}):
            names = ", ".join(self.settings)
            raise SettingsError(
                f"primary has to be two of the settings {names}, such as flex,agent, not {','.join(self.primary)!r}"
            )

    @property
    def models(self) -> dict[str, str]:
        """The names of the models by role."""
        return {"actor": self.model, "retriever": self.retriever_model or self.model}

    @property
    def folder(self) -> Path:
        """Where the run is kept; each setting has a folder in it."""
        return self.out or Path("results") / file_name(f"{self.benchmark}_{self.model}")


def file_name(text: str) -> str:
    """A text, such as a model's name, as the name of a file or folder."""
    return re.sub(r"[^\w.-]+", "-", text)
