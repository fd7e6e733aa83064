from __future__ import annotations

import pytest

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.jobs.slurm_request import SlurmRequest, read_request


def test_every_key_is_read():
    values = [
        "partition=gpu,long", "account=lab", "qos=high", "constraint=a100&ib", "gpus_per_node=a100:1", "mem=16G",
        "minutes=240", "cpus=4", "setup=module load cuda", "setup=export A=b=c", "warning=300", "requeues=5",
        "shared=yes", "extra_mail_user=me@x.org", "extra_exclusive=",
    ]  # fmt: skip
    assert read_request(values) == SlurmRequest(
        minutes=240, partition="gpu,long", account="lab", qos="high", constraint="a100&ib", gpus_per_node="a100:1",
        mem="16G", cpus=4, setup=("module load cuda", "export A=b=c"), warning=300, requeues=5, shared=True,
        extra={"mail-user": "me@x.org", "exclusive": True},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["minutes=60", "partion=gpu"], r"--slurm has no key 'partion'. Did you mean 'partition'\?"),
        (["minutes=60", "exclude=n1"], "extra_exclude=NODES for --exclude=NODES"),
        (["partition=gpu"], "needs the time limit of a job.*minutes=240"),
        (["minutes"], "--slurm minutes needs a value"),
        (["minutes=60", "qos="], "--slurm qos needs a value"),
        (["minutes=4h"], r"--slurm minutes=4h: expected a whole number from 1"),
        (["minutes=60", "minutes=90"], "--slurm gives minutes twice, '60' and '90'"),
        (["minutes=60", "mem=16"], "--slurm mem=16: expected a number with its unit, such as 16G"),
        (["minutes=60", "gpus_per_node=one"], "expected a number, or kind and number"),
        (["minutes=60", "gpus_per_node=0.5"], "expected a number, or kind and number"),
        (["minutes=1", "warning=60"], "--slurm warning=60: .* a job has 60"),
        (["minutes=60", "shared=1"], "expected yes or no"),
        (["minutes=60", "extra_time=3"], "--slurm extra_time=3: .*give minutes="),
        (["minutes=60", "extra_array=0-3"], "--max_parallel bounds"),
        (["minutes=60", "extra_=3"], "has no key 'extra_'"),
        (["minutes=60", "partition=a\n#SBATCH --x"], "--slurm partition needs a value"),
        (["minutes=60", "extra_comment=a\nb"], "more than one line"),
    ],
)
def test_mistakes_are_one_clear_error(values, message):
    with pytest.raises(UsageError, match=message):
        read_request(values)


def test_of_a_short_job_the_warning_comes_half_way():
    assert read_request(["minutes=1"]).warning == 30
    assert read_request(["minutes=60"]).warning == 120


@pytest.mark.parametrize(
    ("given", "asked"),
    [("gpus_per_node=1", True), ("gpus_per_node=a100:2", True), ("gpus_per_node=0", False), ("extra_gres=gpu:1", True),
     ("extra_gpus_per_task=1", True), ("extra_exclude=n1", False)],
)  # fmt: skip
def test_gpus_may_be_asked_for_by_any_option_of_sbatch(given, asked):
    assert read_request(["minutes=60", given]).names_gpus is asked


def test_a_line_of_setup_that_fails_ends_the_job(tmp_path):
    import subprocess

    script = tmp_path / "script"
    for line, code in (("true", 0), ("cd /nowhere", 1), ("module load it's", 1)):
        setup = read_request(["minutes=60", f"setup={line}"]).parameters("name", None)["setup"]
        script.write_text("\n".join([*setup, "echo begins"]))
        done = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
        assert done.returncode == (code if "'" not in line else 2), done.stderr
        assert ("begins" in done.stdout) == (code == 0)
        assert (f"this line of setup= failed: {line}" in done.stderr) == (code == 1 and "'" not in line)
