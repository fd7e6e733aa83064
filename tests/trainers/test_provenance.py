"""A hint on idle cores for runs to which a launcher gave one thread, and for no other."""

from __future__ import annotations

import pytest

from iemomecp_dataset.trainers.provenance import idle_cores_hint

LAUNCHED = {"ACCELERATE_DYNAMO_BACKEND": "NO"}
ON_CPU = {"device": "cpu", "processes": 1, "threads": 1, "cores": 8}


def test_the_option_that_uses_all_cores_is_named() -> None:
    assert "use 1 of 8 cores: accelerate launch --num_cpu_threads_per_process 8 " in str(
        idle_cores_hint(LAUNCHED, **ON_CPU)
    )
    two = idle_cores_hint(LAUNCHED, **ON_CPU | {"processes": 2})
    assert "use 2 of 8 cores: accelerate launch --num_cpu_threads_per_process 4 " in str(two)


@pytest.mark.parametrize(
    ("environment", "changed"),
    [
        ({}, {}),
        (LAUNCHED, {"device": "cuda"}),
        (LAUNCHED, {"threads": 4}),
        (LAUNCHED, {"cores": 1}),
        (LAUNCHED, {"processes": 8}),
    ],
)
def test_nothing_is_said_where_nothing_is_idle_or_a_person_chose(environment: dict, changed: dict) -> None:
    assert idle_cores_hint(environment, **ON_CPU | changed) is None
