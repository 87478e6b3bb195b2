"""Where the files that come with the package lie: prompts, the demo data and the demo library."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped(relative: str) -> Path:
    """The path of a shipped file, in a wheel (`flex/shipped/...`) as in a checkout (`./...`)."""
    installed = _PACKAGE / "shipped" / relative
    return installed if installed.exists() else _PACKAGE.parent / relative


def here_or_shipped(relative: str) -> Path:
    """The path below the current folder, or that of the shipped file where only that one exists."""
    here = Path(relative)
    return here if here.exists() or not shipped(relative).exists() else shipped(relative)
