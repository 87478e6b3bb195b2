"""Fetch the paper's splits, the published libraries and GSM8k, each file checked by its sha256."""

import hashlib
import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flex.errors import EndpointError, SettingsError

if TYPE_CHECKING:
    import httpx2

HOST = "https://raw.githubusercontent.com"
FLEX = "GenSI-THUAIR/FLEX/b749fc351f81d834b71edb13bc7bc0e51cfdc15d"
GSM8K = "openai/grade-school-math/3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math"
TRIES = 4
"""For a file whose connection breaks off; each goes on where the last one stopped, if the server can."""
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Source:
    """One file: the group it belongs to, its sha256, and its path in our folder."""

    group: str
    sha256: str
    path: str

    @property
    def remote(self) -> str:
        """Its path on the host: repository, commit, path."""
        return f"{GSM8K}/{self.path.replace('/gsm8k', '')}" if self.group == "gsm8k" else f"{FLEX}/{self.path}"


# fmt: off
SOURCES = tuple(Source(*row) for row in (
    ("aime", "6c52a600fbea832a404c08a73a443077edca6ddec443121f150d85bab781dbdf", "data/AIME/train.jsonl"),
    ("aime", "58b93eafc14aed3f2b3ddec7379109be9f4648efafbad0b2c7c59809d0054f2a", "data/AIME/test.jsonl"),
    ("uspto50k", "e97054be1b14be4cb078bf9558b3f0ba7407c11e540e614e62426a452186b708", "data/uspto50k/train.jsonl"),
    ("uspto50k", "53ea7010b54cb1475cf222f83577827c2b1877dd0581856300dbab18660866ec", "data/uspto50k/test.jsonl"),
    ("gsm8k", "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465", "data/gsm8k/train.jsonl"),
    ("gsm8k", "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14", "data/gsm8k/test.jsonl"),
    ("exps", "44f5818b22a32c62e7a20bff643bb8a3ba42061906ba8e60145b68f2ce2877f4", "exps/aime_claude.json"),
    ("exps", "5c285043665dda5a0b01522cd9e7577c99376cad7e6f8971ec9856908f91d564", "exps/aime_deepseek.json"),
    ("exps", "836ddd85d699a7cf542d6bf24cb255f0627b7c9a512cf3655db1b4b1098127b5", "exps/aime_mixed.json"),
    ("exps", "2cfb2f0ffa84154a9e0fd6a15f7d22a7d90303717261ff3fd1ed4f524aacef5d", "exps/retro_claude.json"),
    ("exps", "af64395cb1b8ef9b36738f32ed3cfa35ba431dc86b0a2ef3a94db601318a93a5", "exps/retro_gemini.json"),
    ("exps", "926a3d812832a736a535d2be1d62886f6595c72e2521d50bf3be8bb3ec0967ef", "exps/retro_gpt.json"),
))
# fmt: on
GROUPS = tuple(dict.fromkeys(source.group for source in SOURCES))

Progress = Callable[[int, int | None], None]
"""Called with (bytes there, bytes in all if the server says) as a file comes in."""


def chosen(groups: Collection[str]) -> list[Source]:
    """The sources of these groups. Raises SettingsError for a group that is none."""
    for group in groups:
        if group not in GROUPS:
            raise SettingsError(f"nothing to fetch is called '{group}'; choose from {', '.join(GROUPS)}")
    return [source for source in SOURCES if source.group in groups]


def fetch(
    source: Source,
    folder: str | Path = ".",
    *,
    base_url: str = HOST,
    progress: Progress | None = None,
    pause: float = 1.0,
) -> bool:
    """Fetch a file into `folder` unless it is there already; False when it was.

    What arrives goes to `<name>.part`, which a later call continues; only with the right checksum does it get its
    name, and another file of that name is kept as `<name>.old`. `pause` is the wait before a next try, in seconds.
    Raises EndpointError, or SettingsError when the folder cannot be written.
    """
    path = Path(folder) / source.path
    part = path.with_name(path.name + ".part")
    try:
        if path.is_file() and _sha256(path) == source.sha256:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        if not part.is_file() or _sha256(part) != source.sha256:
            _receive_persistently(source, base_url, part, progress, pause)
        _accept(source, part, path)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error}") from error
    return True


class _Interrupted(EndpointError):
    """The connection broke off, or the server could not continue: worth another try."""


def _receive_persistently(source: Source, base_url: str, part: Path, progress: Progress | None, pause: float) -> None:
    url = f"{base_url.rstrip('/')}/{source.remote}"
    for tries_left in reversed(range(TRIES)):
        resumed = part.is_file()
        try:
            _receive(url, part, progress)
            if resumed and _sha256(part) != source.sha256:
                part.unlink()
                raise _Interrupted("the part that was there is not of this file")
            return
        except _Interrupted as error:
            if not tries_left:
                raise EndpointError(f"cannot fetch {source.path}: {error}; run it again to go on") from error
        except EndpointError as error:
            raise EndpointError(f"cannot fetch {source.path}: {error}") from error
        time.sleep(pause)


def _receive(url: str, part: Path, progress: Progress | None) -> None:
    """Append to what is there, if the server can continue; start anew if it cannot."""
    import httpx2

    there, total = part.stat().st_size if part.exists() else 0, None
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={there}-"} if there else {})}
    try:
        with httpx2.stream("GET", url, headers=headers, timeout=TIMEOUT_SECONDS, follow_redirects=True) as response:
            there = _start(response, part, there)
            length = response.headers.get("Content-Length")
            total = there + int(length) if length else None
            with part.open("ab" if there else "wb") as file:
                for chunk in response.iter_raw():
                    there += file.write(chunk)
                    if progress:
                        progress(there, total)
    except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
        raise SettingsError(f"{url} is not an address: {error}") from error
    except httpx2.ConnectError as error:
        raise EndpointError(f"no connection to {url.split('/')[2]} ({error}); are you offline?") from error
    except httpx2.TransportError as error:
        broken = f"the connection broke off after {there} of {total} bytes"
        raise _Interrupted(broken if total else f"{url}: {error or type(error).__name__}") from error


def _start(response: "httpx2.Response", part: Path, there: int) -> int:
    """After how many bytes the answer goes on, 0 when all of it comes."""
    resumed = response.status_code == 206
    starts = response.headers.get("Content-Range", "")
    if response.status_code == 416 or (resumed and not starts.startswith(f"bytes {there}-")):
        part.unlink(missing_ok=True)
        raise _Interrupted("the server cannot continue the part that is there")
    if response.is_error:
        kind = _Interrupted if response.status_code in (408, 429) or response.is_server_error else EndpointError
        raise kind(f"{response.url} answers {response.status_code} {response.reason_phrase}")
    return there if resumed else 0


def _accept(source: Source, part: Path, path: Path) -> None:
    """Give the file its name. Raises EndpointError, the part removed, when its checksum is wrong."""
    found = _sha256(part)
    if found != source.sha256:
        part.unlink()
        raise EndpointError(
            f"{source.path} is not the file we know: expected sha256 {source.sha256}, got {found}; it was not kept"
        )
    if path.is_file():
        os.replace(path, path.with_name(path.name + ".old"))
    os.replace(part, path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
