"""Where files are: those of the user, which have to exist, and the prompts and demo data that come with the package."""

from pathlib import Path

from flex.errors import SettingsError

_PACKAGE = Path(__file__).parents[1]


def shipped(relative: str | Path) -> Path:
    """The path of a shipped file, in a wheel (`flex/shipped/...`) as in a checkout (`./...`)."""
    installed = _PACKAGE / "shipped" / relative
    return installed if installed.exists() else _PACKAGE.parent / relative


def here_or_shipped(relative: str | Path) -> Path:
    """The path below the current folder, or that of the shipped file where only that one exists."""
    here = Path(relative)
    return here if here.exists() or not shipped(relative).exists() else shipped(relative)


def existing(path: str | Path, what: str, source: str = "") -> Path:
    """The path. Raises SettingsError when nothing is there, which ends in where it can be had."""
    if not Path(path).exists():
        raise SettingsError(f"{what} {path} does not exist{'; ' if source else ''}{source}")
    return Path(path)
