from __future__ import annotations

from pathlib import Path

import pytest

from iemomecp_dataset.jobs.shared_folders import why_not_shared

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:22 / /dev/shm rw shared:3 - tmpfs tmpfs rw
25 22 0:30 / /home rw,relatime shared:7 master:1 - nfs4 head:/home rw
26 25 0:31 / /home/my\\040scratch rw - xfs /dev/vdb rw
27 22 0:32 / /lustre rw - lustre mds@tcp:/l rw
28 22 0:33 / /mnt/sshfs rw - fuse.sshfs me@x:/ rw
29 22 0:34 / /mnt/fuse rw - fuse.squashfuse image rw
30 22 0:35 / /image rw - overlay overlay rw
31 22 0:36 / /tmp/project rw - beegfs beegfs_nodev rw
32 22 0:37 / /data rw - ext4 /dev/vdc rw
33 22 0:38 / /data rw - nfs head:/data rw
"""


@pytest.fixture(name="why")
def fixture_why(tmp_path, monkeypatch):
    """Why a folder is not shared, with the mounts above, on a machine that exports /export."""
    (tmp_path / "mounts").write_text(MOUNTS)
    (tmp_path / "etab").write_text("/export\t10.0.0.0/8(rw,sync)\n")
    # Links of the machine that the tests run on are not those of the mounts.
    monkeypatch.setattr("os.path.realpath", str)
    return lambda path, **options: why_not_shared(
        Path(path), mounts=tmp_path / "mounts", exports=tmp_path / "etab", **options
    )


@pytest.mark.parametrize(
    "path", ["/home/me/runs", "/lustre/project", "/mnt/sshfs/runs", "/tmp/project/runs", "/export/runs", "/data/runs"]
)
def test_network_file_systems_and_exported_folders_are_shared(why, path):
    assert why(path) == ""


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/tmp/runs", "lies below /tmp, which every machine has for itself"),
        ("/var/tmp/runs", "lies below /var/tmp, which every machine has for itself"),
        ("/dev/shm/runs", "lies below /dev/shm, which every machine has for itself"),
        ("/run/user/0", "lies below /run, which every machine has for itself"),
        ("/image/runs", "lies on a file system of this machine alone (overlay at /image)"),
        ("/root/runs", "lies on a disk of this machine (ext4 at /) that it does not export"),
        ("/home/my scratch/runs", "lies on a disk of this machine (xfs at /home/my scratch) that it does not export"),
        ("/mnt/fuse/runs", "lies on a disk of this machine (fuse.squashfuse at /mnt/fuse) that it does not export"),
        ("/exports/runs", "lies on a disk of this machine (ext4 at /) that it does not export"),
    ],
)
def test_what_other_machines_do_not_see_is_told(why, path, words):
    assert why(path) == words


def test_a_disk_may_be_on_every_node_what_a_temporary_folder_is_not(why):
    assert why("/opt/python", disks=False) == ""
    assert why("/tmp/python", disks=False) == "lies below /tmp, which every machine has for itself"
    assert why("/image/python", disks=False) != ""


def test_a_link_is_followed(tmp_path):
    (tmp_path / "mounts").write_text("1 0 0:1 / / rw - nfs head:/ rw\n2 1 0:2 / /proc rw - proc proc rw\n")
    (tmp_path / "link").symlink_to("/proc")
    assert "proc at /proc" in why_not_shared(tmp_path / "link/self", mounts=tmp_path / "mounts")


def test_where_the_system_lists_no_mounts_nothing_is_refused(tmp_path):
    assert why_not_shared(Path("/tmp/runs"), mounts=tmp_path / "nothing") == ""
