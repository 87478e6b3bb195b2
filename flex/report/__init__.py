"""One page on a run for people: `write_report(folder)` draws report.html from the files of a run, and nothing else."""

from flex.report.page import write_report

__all__ = ["write_report"]
