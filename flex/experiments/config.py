"""What the experiments are told; their fields are the flags of their commands, as in flex/runs/config.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flex.runs.config import Budget, EndpointConfig
from flex.runs.fields import Checked, Natural, Positive

APPRENTICE = "apprentice"
"""Models whose names begin so are served by the experiment itself unless a base_url is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRun(Checked):
    """What every experiment is told."""

    benchmark: str = "retro"
    """which one"""
    data_path: Path | None = None
    """the folder of train and test split; default: the demo data for the apprentice, else the benchmark's folder"""
    out: Path = Path("runs/experiment")
    """folder of the experiment; name an old one to go on with it"""
    train_samples: Positive | None = None
    """learn from the first so many tasks only"""
    samples: Positive | None = None
    """answer the first so many test tasks only"""
    repeats: Positive = 1
    """independent answers per test task"""
    max_rounds: Positive | None = None
    """attempts within a rollout; default: of `flex train`, 2 for the apprentice"""
    max_rollouts: Positive | None = None
    """rollouts of a task that is not solved; default: of `flex train`, 1 for the apprentice"""
    batch_size: Positive | None = None
    """training tasks explored at once; default: of `flex train`, 10 for the apprentice"""
    seed: Natural | None = None
    """shuffle the training tasks with it; unset: the file's order"""
    max_concurrent: Positive = 10
    """test tasks answered at once"""
    telemetry: bool = True
    """send traces to a collector that listens"""
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneModelRun(ExperimentRun):
    """What an experiment with one actor is told; the other roles may be other models."""

    model: str = APPRENTICE
    """the model that learns and answers; the apprentice is no LLM"""
    verifier_model: str | None = None
    """default: as in `flex train`"""
    critic_model: str | None = None
    """default: as in `flex train`"""
    updater_model: str | None = None
    """default: as in `flex train`"""
    retriever_model: str | None = None
    """default: as in `flex train`"""

    @property
    def models(self) -> tuple[str, ...]:
        return (self.model,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingLaw(OneModelRun):
    """Train epoch after epoch with the library in the loop, and test after each of them."""

    out: Path = Path("runs/scaling_law")
    epochs: Positive = 5
    """passes over the training tasks; more may be added"""
    early: Natural = 4
    """measure within the first epoch too: after a half, a quarter, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inheritance(ExperimentRun):
    """Let every model learn a library, and every model use the library of every other."""

    out: Path = Path("runs/inheritance")
    models: tuple[str, ...] = ("apprentice", "apprentice-acylation", "apprentice-coupling", "apprentice-unmasking")
    """comma-separated; each plays all roles"""
    library: Mapping[str, Path] = field(default_factory=dict)
    """one more column: a library that exists (Claude=exps/aime_claude.json); may be repeated"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation(OneModelRun):
    """Take away one part of FLEX at a time and see what it was worth."""

    out: Path = Path("runs/ablation")
    variants: str | None = None
    """comma-separated: full, flat retrieval, hierarchical retrieval, no warning zone, no updater, no critic, no
    library; default: all
    """
    epochs: Positive = 1
    """passes over the training tasks"""
