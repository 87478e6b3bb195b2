"""Write a file so that a crash leaves the old one or the new one, never half of one."""

import json
import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any


def json_bytes(value: Any, *, indent: int | None = None) -> bytes:
    """UTF-8 JSON, readable as it stands; lone surrogates, which UTF-8 cannot hold, stay escaped. Raises TypeError."""
    return json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "backslashreplace")


def write_json(path: str | Path, value: Any) -> None:
    """Replace a JSON file atomically, indented by 2; folders are made as needed."""
    write_atomically(path, json_bytes(value, indent=2) + b"\n")


def write_atomically(path: str | Path, content: bytes) -> None:
    """Replace a file by `content`: written beside it, fsynced, renamed. Raises OSError, the old file as it was."""
    path = Path(os.path.realpath(path))  # a link keeps pointing to the file
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: str | Path) -> None:
    """Make renames in a folder survive a power cut; where folders cannot be opened (Windows) this does nothing."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
