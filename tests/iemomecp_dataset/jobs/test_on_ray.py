"""Starting ray; jobs on it are run by the tests of the commands."""

from __future__ import annotations

import pytest

from iemomecp_dataset.errors import TrainingError
from iemomecp_dataset.jobs.on_ray import _of_launcher, _start_here


class SlowRay:
    """Replaces ray; its start times out ``failures`` times."""

    def __init__(self, failures: int):
        self.failures, self.calls = failures, []

    def init(self, **options):
        self.calls.append(options["num_cpus"])
        if self.calls.count(options["num_cpus"]) <= self.failures:
            raise Exception("The current node timed out during startup.")

    def shutdown(self):
        self.calls.append("shutdown")


def test_ray_is_started_twice_at_most_and_then_the_error_gives_the_remedy():
    ray = SlowRay(1)
    _start_here(ray, 2, {})
    assert ray.calls == [2, "shutdown", 2]
    with pytest.raises(TrainingError, match=r"timed out during startup\. .* or use --backend local"):
        _start_here(SlowRay(2), 2, {})


def test_a_job_on_a_cluster_is_as_offline_and_as_exact_as_its_launcher_and_keeps_the_rest_of_its_node():
    given = {"HF_HUB_OFFLINE": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "IEMOMECP_ECF_DIR": "/data/ecf"}
    of_node = {
        "HOME": "/root",
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "3",
        "RAY_ADDRESS": "auto",
        "TMPDIR": "/scratch",
    }
    assert _of_launcher({**of_node, **given}) == given
