"""How to train, and who takes part."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flex.files.clock import now

if TYPE_CHECKING:
    from flex.actor import Actor
    from flex.critic import Critic
    from flex.memory_retriever import MemoryRetriever
    from flex.updater import Updater
    from flex.verifier import Verifier


@dataclass(frozen=True, slots=True)
class Limits:
    """How far to explore one task: rollouts are its breadth, rounds their depth (paper, 3.1)."""

    max_rollouts: int = 3
    max_rounds: int = 5


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train; after `batch_size` tasks the library is saved."""

    limits: Limits = field(default_factory=Limits)
    epochs: int = 1
    batch_size: int = 20
    max_concurrent: int | None = None
    """Tasks explored at once; as many as a batch has, unless said otherwise."""
    direct_add: bool = False
    """Insert every experience without asking the updater."""
    contrast: bool = False
    """Where a task has failed and solved rollouts, also distil what made the difference."""
    speculate: int | None = None
    """How many the updater is asked about before their turn; unset: few calls are wasted, see evolution.py."""
    use_library: bool = False
    """Let the actor consult the library as it was when the batch began."""
    run_name: str = ""
    run_id: str = ""
    """Tells this run from others in the history of a database, so that a resumed run repeats nothing."""
    clock: Callable[[], str] = now


@dataclass(frozen=True, slots=True)
class Team:
    """The five roles of one run."""

    actor: "Actor"
    verifier: "Verifier"
    critic: "Critic"
    updater: "Updater"
    retriever: "MemoryRetriever"
