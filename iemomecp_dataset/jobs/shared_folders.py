"""Whether the nodes of a cluster see a folder of this machine, as far as this machine can tell."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["why_not_shared"]

_NETWORK = re.compile(
    r"nfs\d?|lustre|gpfs|mmfs|beegfs|ceph|cifs|smb\d?|smbfs|afs|auristorfs|panfs|pvfs2|orangefs|gfs2?|ocfs2|wekafs|9p|"
    r"virtiofs|autofs|glusterfs|acfs|cvfs|dvs|vboxsf|"
    r"fuse\.(sshfs|glusterfs.*|ceph.*|beegfs.*|juicefs|mfs.*|lizardfs|lustre.*|s3fs|gcsfuse|rclone|weka.*|quobyte.*)"
)
"""Types of file systems that several machines mount."""

_OWN = re.compile(r"tmpfs|ramfs|devtmpfs|overlay|aufs|squashfs|proc|sysfs|hugetlbfs")
"""Types of file systems that lie in one machine's memory or in one container."""

_OWN_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/var/run")
"""Folders that every machine has for itself, unless a network file system is mounted there."""


def why_not_shared(
    path: Path,
    *,
    disks: bool = True,
    mounts: Path = Path("/proc/self/mountinfo"),
    exports: Path = Path("/var/lib/nfs/etab"),
) -> str:
    """Tells why the nodes of a cluster may not see a folder.

    Args:
        path: A folder or file, there or not.
        disks: Whether a disk of this machine counts, too, and not only its memory and its temporary folders.
        mounts: The system's list of mounts.
        exports: The list of folders that this machine exports by NFS, as a cluster's head often does.

    Returns:
        Words that follow the path; nothing where the folder is shared, or where the system has no such list.
    """
    place = Path(os.path.realpath(path))
    point, kind = _mount_of(place, mounts)
    if not kind or _NETWORK.fullmatch(kind):
        return ""
    own = next((folder for folder in _OWN_PLACES if place.is_relative_to(folder)), None)
    if own is not None:
        return f"lies below {own}, which every machine has for itself"
    if _OWN.fullmatch(kind):
        return f"lies on a file system of this machine alone ({kind} at {point})"
    if not disks or any(place.is_relative_to(folder) for folder in _exported(exports)):
        return ""
    return f"lies on a disk of this machine ({kind} at {point}) that it does not export"


def _mount_of(place: Path, mounts: Path) -> tuple[str, str]:
    """The mount point of a path, and the type of its file system; empty where the system does not list them."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return "", ""
    found = ("", "")
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 10 or "-" not in fields:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])
        # A later mount hides an earlier one at the same place.
        if place.is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, fields[fields.index("-") + 1])
    return found


def _exported(exports: Path) -> list[str]:
    try:
        lines = exports.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    return [line.split("\t")[0].split(" ")[0] for line in lines if line.startswith("/")]
