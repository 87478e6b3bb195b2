"""Which file system a path is on: SQLite's write-ahead log needs memory shared by all who write, so not a network's."""

import os
import re
from pathlib import Path

from flex.errors import LibraryError

_KERNEL = "nfs nfs3 nfs4 cifs smb2 smb3 smbfs 9p afs ceph lustre gpfs beegfs glusterfs orangefs ocfs2 gfs2 vboxsf"
_FUSE = "sshfs glusterfs ceph s3fs goofys gcsfuse rclone davfs davfs2 blobfuse juicefs smbnetfs curlftpfs"
NETWORK = frozenset(_KERNEL.split()) | {f"fuse.{name}" for name in _FUSE.split()}
"""Types of /proc/mounts that more than one machine may write at once."""
_MOUNTS = Path("/proc/self/mounts")


def network_file_system(path: Path, mounts: str | None = None) -> str | None:
    """The type of the network file system that `path` is on; None on a local one, or where nobody can tell."""
    if mounts is None:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape") if _MOUNTS.exists() else ""
    real = Path(os.path.realpath(path))
    depth, kind = -1, ""
    for fields in (line.split(" ") for line in mounts.splitlines()):
        point = Path(_unescaped(fields[1]))
        if real.is_relative_to(point) and len(point.parts) >= depth:  # of two at one place the later hides the other
            depth, kind = len(point.parts), fields[2]
    return kind if kind in NETWORK else None


def refuse_network(path: Path) -> None:
    """Raise LibraryError for a database on a network file system."""
    if kind := network_file_system(path):
        raise LibraryError(
            f"{path} is on a network file system ({kind}), where SQLite loses what is written; "
            "copy it to a disk of this machine, or use a JSON library (x.json)"
        )


def _unescaped(field: str) -> str:
    """A mount point as it is called: white space is in octal there."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
