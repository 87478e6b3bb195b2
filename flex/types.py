"""Every value that flows through FLEX, in the order in which it is made.

    data/*.jsonl -> Task -> Attempt -> Verdict -> Round -> Trajectory -> Experience -> UpdateDecision -> ExpLib
                              ^                    (n rounds)                                          |
                              +------------------- Retrieval <- MemoryRetriever <----------------------+

All of them are frozen: to change one, make the next one. Only the library changes, and only through `apply`.

Glossary
    benchmark     a dataset with how an answer is found in a reply and scored: math, gsm8k, retro, protein, units
    split         a part of it: train, test
    task          one item to solve, with its target, the ground truth
    attempt       one generation by the actor; the answer is what the benchmark extracts from it
    verdict       accepted or not, feedback on what to change, and the benchmark's score
    round         an attempt and the verdict on it
    rollout       a chain of rounds on one task; its record is a trajectory
    exploration   all rollouts of one task and what was distilled from them
    experience    one library entry, in three levels: method (strategy), rules (patterns), trajectory (a concrete case)
    zone          golden (what worked), warning (what failed) or mixed (both contrasted); `memory_type` in files
    library       all experiences; it evolves by the updater's decisions: insert, merge, discard
    quarantine    beside the library: experiences whose decision could not be read
    revision      one state of an entry; every change begins the next one, and the history keeps them all
    retrieval     the hits that a query found in the library, at most top_k a level, and the text that the actor reads
    speculation   asking the updater about an experience before those ahead of it are decided (training/evolution.py)
    setting       how tasks are answered: vanilla, icl, agent, flex; flex-empty and flex-shuffled are the controls
    pass@k        whether any of k attempts is right (unbiased estimator); mean@k is the mean over k attempts
    run           one call of a command, and the folder of what it wrote

The five roles: the actor attempts, the verifier judges, the critic distils, the updater decides, the retriever reads.
"""

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Protocol, get_args

Zone = Literal["golden", "warning", "mixed"]
"""Golden: from accepted trajectories; warning: from failures; mixed: a failure and a success contrasted."""
Action = Literal["insert", "merge", "discard", "quarantine"]
"""The updater's three actions (paper, 3.2), and quarantine for an experience that it could not decide on."""
RuleKind = Literal["avoid", "instead"]
"""What a rule from a failed attempt is: what went wrong, or what is known to be right instead."""
Level = Literal["method", "rule", "trajectory"]
"""The levels inside an experience, high to low: strategy, pattern, concrete case (paper, 3.2)."""
Ending = Literal["stop", "length", "filtered", "tool_calls", "error", "empty"]
"""How a reply ended: by itself, at the token limit, at a content filter, in the call of a tool that nobody offered, in
the endpoint's error, or without a word."""
Message = dict[str, str]
"""One chat message: `{"role": "system" | "user" | "assistant", "content": ...}`."""

ZONES: tuple[Zone, ...] = get_args(Zone)
TOP_K = 5
"""How many entries a stage of retrieval returns (paper, 3.2)."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What model calls cost: counts of calls, retries and tokens. Usages can be added."""

    calls: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a model: the visible text, separately its reasoning, and how it ended."""

    text: str
    reasoning: str = ""
    usage: Usage = Usage()
    finish_reason: Ending = "stop"
    calls: tuple[tuple[str, str], ...] = ()
    """Tools it calls that nobody offered, by name, each with its arguments as JSON."""

    @property
    def complete(self) -> bool:
        """Whether it says all it was going to say."""
        return self.finish_reason in ("stop", "tool_calls")


class Model(Protocol):
    """What a role talks to: a `ChatModel` of the shared client, or a `ScriptedModel` in tests."""

    @property
    def name(self) -> str: ...

    def complete(
        self,
        messages: Sequence[Message],
        *,
        stop: Sequence[str] | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> Coroutine[Any, Any, Reply]:
        """One reply; `schema` is the JSON schema it is to keep where the endpoint can see to that."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """One item to solve; `target` is its ground truth, `index` its position in the split (from 0)."""

    id: str
    question: str
    target: str | None = None
    index: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found in the library: which experience, how well it matched and at which level."""

    experience_id: str
    score: float
    level: Level = "method"
    rank: int = 0
    """Its position among the hits of its level, from 1."""
    rule: int | None = None
    """For level "rule": which of the experience's rules, from 0."""
    revision: int = 0
    """The experience's revision when it was found, from 1; 0 if unknown."""
    why: str = ""
    """What found it: "words", "4-grams", "structure", "vectors", or who selected it."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What the library had to say about a query: the hits, and the text an actor reads."""

    query: str
    hits: tuple[Hit, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One generation by the actor; `answer` is what the benchmark extracted from `text`, None if nothing."""

    text: str
    answer: str | None = None
    reasoning: str = ""
    usage: Usage = Usage()
    finish_reason: Ending = "stop"
    """How the reply ended that the answer was to be found in; an agent's last one."""
    retrievals: tuple[Retrieval, ...] = ()
    steps: tuple[Mapping[str, Any], ...] = ()
    """An agent's own steps (thought, code, observation), for the trace."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an attempt is accepted, the verifier's and the benchmark's judgement, and what to change next."""

    accepted: bool
    feedback: str = ""
    accepted_by_verifier: bool | None = None
    """None where it was not asked, or where its reply was no verdict (`problem`)."""
    score: float | None = None
    accepted_by_score: bool | None = None
    """None without a target, and in an open-ended task."""
    problem: str = ""
    """Why the verifier's reply is no verdict; empty where it is one, or was not needed."""


@dataclass(frozen=True, slots=True)
class Round:
    """An attempt and the verdict on it."""

    attempt: Attempt
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The record of one rollout: a task and its rounds (paper, 3.1)."""

    task: Task
    rounds: tuple[Round, ...] = ()

    def extended(self, attempt: Attempt, verdict: Verdict) -> "Trajectory":
        return replace(self, rounds=(*self.rounds, Round(attempt, verdict)))

    @property
    def solved(self) -> bool:
        """Whether an attempt was accepted: the last one, or in an open-ended task any improvement."""
        return any(past.verdict.accepted for past in self.rounds)

    @property
    def misjudged(self) -> bool:
        """Whether a right attempt was refused and none accepted: no failure to warn of, and nobody vouches for it."""
        return not self.solved and any(past.verdict.accepted_by_score for past in self.rounds)

    @property
    def unsaid(self) -> bool:
        """Whether no attempt came to its end or to an answer: cut off, filtered, empty; nothing is learned from it."""
        return bool(self.rounds) and all(
            past.attempt.answer is None and past.attempt.finish_reason != "stop" for past in self.rounds
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern with the examples that support it."""

    rule: str
    examples: tuple[str, ...] = ()
    kind: RuleKind | None = None
    """Under which heading a reader sees it; None where it is to be followed, or an older warning does not say."""

    @property
    def labelled(self) -> str:
        """Its text behind its kind, where it has one."""
        return f"({self.kind}) {self.rule}" if self.kind else self.rule


@dataclass(frozen=True, slots=True)
class Experience:
    """One library entry: method, rules and trajectory, from general to concrete (paper, 3.2)."""

    method: str
    rules: tuple[Rule, ...] = ()
    revised_trajectory: str = ""
    zone: Zone = "golden"
    problem_category: str = ""
    priority: int = 1
    id: str = ""
    """Empty until the library gives it one; never changes afterwards."""
    created_at: str = ""
    usage_count: int = 0
    last_used: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where it came from: `tasks`, `rollout`, `model`, `prompt`, `run`; `merged` has those of the entries merged in."""
    contradicts: tuple[str, ...] = ()
    """Ids of entries that say the opposite under the same conditions; both are kept and linked."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Unknown keys of the file, kept as they are."""


@dataclass(frozen=True, slots=True)
class UpdateDecision:
    """What the updater wants done with a new experience; it changes nothing until the library applies it."""

    action: Action
    target: str | None = None
    """The entry to merge into, or the one that makes the new experience superfluous."""
    novel_rules: tuple[int, ...] = ()
    """Merge: which rules of the new experience to bring in, from 0."""
    trajectory: Literal["existing", "new"] = "existing"
    """Merge: the more informative of the two (paper, 3.2)."""
    reason: str = ""
    consolidated: Experience | None = None
    """Merge: the entry's new method, rules and trajectory where the mechanical merge is too large."""
    contradicts: tuple[str, ...] = ()
    """Insert: entries that the new one contradicts."""


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a library's history. It keeps what it replaced, so that no revision is ever lost."""

    number: int
    """From 1, without gaps."""
    action: str
    """insert, merge, discard, link, quarantine, release, remove, rollback, import; edit for what was done by hand."""
    entry: str
    time: str = ""
    reason: str = ""
    by: Mapping[str, Any] = field(default_factory=dict)
    """Who: `run`, `model`, `prompt` (sha256 of the updater's prompt); `hand` where the file was changed without us."""
    source: Mapping[str, Any] = field(default_factory=dict)
    """From what: `tasks`, `rollout` or `rollouts`, `epoch`, `number`."""
    before: Mapping[str, Any] | None = None
    """The entry before, as in a file; None where there was none, it did not change, or nobody knows it any more."""
    place: int | None = None
    """Its position in its zone, from 0, when it left that zone."""
    before_hash: str | None = None
    after_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An experience that could not be decided on: neither in the library nor lost."""

    experience: Experience
    reason: str


@dataclass(frozen=True, slots=True)
class Exploration:
    """All rollouts of one task and what was distilled from them; `error` where something went wrong on the way."""

    task: Task
    trajectories: tuple[Trajectory, ...] = ()
    experiences: tuple[Experience, ...] = ()
    error: str | None = None
    reason: str = ""
    """The error in the few words that it is counted under."""
    traceback: str = ""
    """Where it came up, if nobody foresaw it."""
    undistilled: tuple[str, ...] = ()
    """Why rollouts, or their contrast, taught nothing; one reason each."""

    @property
    def solved(self) -> bool:
        return any(trajectory.solved for trajectory in self.trajectories)

    @property
    def verdicts(self) -> list[Verdict]:
        """On every attempt, in order."""
        return [past.verdict for trajectory in self.trajectories for past in trajectory.rounds]
