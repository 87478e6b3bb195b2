"""The numbers of the paper (arXiv 2511.06449, tables 1-3 and figure 4), for reference beside measured ones."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One model of table 1: per cent correct (ProteinGym: Spearman x 100) in the paper's four settings."""

    benchmark: str
    model: str
    vanilla: float
    icl: float
    agent: float
    flex: float


TABLE_1 = (
    PublishedRow("math", "Claude-Sonnet-4", 40.0, 30.0, 50.0, 63.3),
    PublishedRow("math", "DeepSeek-V3.1-Terminus", 56.7, 53.3, 60.0, 66.6),
    PublishedRow("gsm8k", "GPT-3.5", 80.8, 81.4, 78.5, 83.3),
    PublishedRow("gsm8k", "GPT-4", 93.8, 94.2, 94.0, 95.9),
    PublishedRow("gsm8k", "Llama-3.2-1B", 74.3, 75.8, 71.0, 80.9),
    PublishedRow("gsm8k", "Llama-3.2-3B", 78.4, 78.8, 74.5, 81.1),
    PublishedRow("retro", "GPT-5", 9.0, 14.0, 12.0, 16.0),
    PublishedRow("retro", "Gemini-2.5-Pro", 9.0, 15.0, 12.0, 18.0),
    PublishedRow("retro", "Claude-Sonnet-4.5", 20.0, 24.0, 23.0, 30.0),
    PublishedRow("protein", "DeepSeek-V3.1-Terminus", 47.9, 48.9, 48.6, 56.8),
    PublishedRow("protein", "GPT-OSS-120B", 47.7, 49.8, 51.5, 57.3),
    PublishedRow("protein", "Claude-Sonnet-4", 46.0, 49.8, 50.2, 59.7),
)


@dataclass(frozen=True, slots=True)
class PublishedEpoch:
    """One epoch of figure 4: GSM8k with GPT-3.5; accuracies in per cent, middle values read off the figure."""

    epoch: int
    library: int
    train: float
    test: float


SCALING_WHAT = "GSM8k, GPT-3.5 (paper, figure 4)"
SCALING_BASELINE = 80.8
"""Per cent correct without a library."""
SCALING = (
    PublishedEpoch(1, 1001, 81.2, 81.3),
    PublishedEpoch(2, 1577, 90.0, 82.2),
    PublishedEpoch(3, 1754, 92.3, 82.7),
    PublishedEpoch(4, 1840, 93.4, 83.0),
    PublishedEpoch(5, 1904, 94.2, 83.3),
)


@dataclass(frozen=True, slots=True)
class PublishedInheritance:
    """An agent alone, and with the libraries that other models learned; in per cent (ProteinGym: Spearman x 100)."""

    benchmark: str
    model: str
    alone: float
    libraries: Mapping[str, float]


INHERITANCE = (
    PublishedInheritance("math", "Claude-Sonnet-4", 50.0, {"Claude-Sonnet-4": 63.3, "DeepSeek-V3.1": 66.7}),
    PublishedInheritance("math", "DeepSeek-V3.1", 60.0, {"Claude-Sonnet-4": 66.7, "DeepSeek-V3.1": 66.7}),
    PublishedInheritance("retro", "GPT-5", 12.0, {"GPT-5": 16.0, "Gemini-2.5-Pro": 18.0, "Claude-S.-4.5": 15.0}),
    PublishedInheritance(
        "retro", "Gemini-2.5-Pro", 12.0, {"GPT-5": 14.0, "Gemini-2.5-Pro": 18.0, "Claude-S.-4.5": 23.0}
    ),
    PublishedInheritance(
        "retro", "Claude-S.-4.5", 23.0, {"GPT-5": 28.0, "Gemini-2.5-Pro": 30.0, "Claude-S.-4.5": 30.0}
    ),
    PublishedInheritance("protein", "GPT-OSS-120B", 51.5, {"Qwen3-8B": 55.0, "DeepSeek-V3.1": 56.6}),
)

ABLATION_WHAT = "ProteinGym, GPT-OSS-120B (paper): mean Spearman"
ABLATION = (
    ("nothing", 0.472),
    ("fixed regression", 0.531),
    ("exploration only", 0.537),
    ("evolution only", 0.547),
    ("both", 0.573),
    ("both + fixed regression", 0.568),
    ("both + regression tools chosen per protein", 0.581),
)
