"""The numbers of the paper (arXiv 2511.06449, tables 1-3 and figure 4), for reference beside measured ones."""

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
