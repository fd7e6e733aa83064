from __future__ import annotations

import pytest

from iemomecp_dataset.benchmark.diagnostics.pair_facts import pair_facts
from iemomecp_dataset.benchmark.diagnostics.systems import facts_of_data, systems_of
from iemomecp_dataset.benchmark.diagnostics.views import Lacking
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.errors import IemomecpError


@pytest.fixture
def roles_run(tmp_path, write_run):
    write_run(tmp_path / "runs" / "roles", n_classes=3, n_dialogues=4)
    (run,) = index_runs(tmp_path / "runs").runs
    return run


def state(run, text):
    (run.folder / "config.yaml").write_text(text)


def test_the_data_is_that_which_the_run_states_if_it_is_still_there(roles_run, synthetic_dir):
    state(roles_run, f"data_dir: {synthetic_dir}\n")
    facts_of = facts_of_data()
    facts = facts_of(roles_run)
    assert list(facts) == ["train", "validation", "test"]
    assert facts_of(roles_run) is facts  # read once


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("data_dir: /nowhere\n", "/nowhere, the data_dir of roles, is not there. Give --data-dir."),
        ("seed: 1\n", "states no data_dir. Give --data-dir."),
        ("- a list\n", "states no data_dir. Give --data-dir."),
        ("{\n", "cannot be read"),
    ],
)
def test_what_is_wrong_with_the_stated_folder_is_the_reason(roles_run, config, reason):
    state(roles_run, config)
    found = facts_of_data()(roles_run)
    assert isinstance(found, Lacking)
    assert reason in found.reason


def test_a_stated_folder_without_a_corpus_is_a_reason_and_a_given_one_is_an_error(roles_run, tmp_path):
    state(roles_run, f"data_dir: {tmp_path}\n")
    found = facts_of_data()(roles_run)
    assert isinstance(found, Lacking)
    assert found.reason.startswith(f"The data in {tmp_path}, which the run states, cannot be read: ")
    with pytest.raises(IemomecpError):
        facts_of_data(tmp_path)(roles_run)


def test_runs_without_config_say_so_and_other_corpora_have_no_roles(roles_run, tmp_path, write_run):
    (roles_run.folder / "config.yaml").unlink()
    assert "has no config.yaml that states its data" in facts_of_data()(roles_run).reason
    write_run(tmp_path / "others" / "ecf", n_dialogues=4)
    (run,) = index_runs(tmp_path / "others").runs
    assert facts_of_data("/nowhere")(run).reason == "ecf has no gold roles; this needs runs on IEMO-MECP."


def test_repeated_runs_and_upper_bounds_are_left_out_by_name(tmp_path, write_run):
    write_run(tmp_path / "bound", objective="rpcl", n_dialogues=4, epoch_chosen_on="test")
    write_run(tmp_path / "seed_2", seed=2, n_dialogues=4)
    write_run(tmp_path / "again", seed=2, n_dialogues=4)
    systems, left_out = systems_of(index_runs(tmp_path).runs, lambda run: Lacking("no data"))
    assert [[run.folder.name for run in system.runs] for system in systems] == [["again"]]
    reasons = {folder.name: reason for folder, reason in left_out.items()}
    assert reasons["bound"] == "Its epoch was chosen on test itself."
    assert reasons["seed_2"] == "seed_2 repeats again (same settings, same seed) and is left out."


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, True),
        ({"settings": {"learning_rate": 0.01}}, False),
        ({"seed": 7}, False),
        ({"forward_pairs": "gold"}, False),
        ({"forward_pairs": "as_published"}, True),
    ],
    ids=str,
)
def test_a_binary_run_is_set_against_the_same_system_alone(
    tmp_path, write_run, role_rows, binary_rows, published_gold, changes, found
):
    rows = role_rows()
    if "forward_pairs" in changes:
        changes = {"extra": published_gold("source_binary", **changes)}
    write_run(tmp_path / "roles", n_classes=3, rows=rows)
    common = {"config_name": "source_binary", "corpus": "iemomecp"}
    write_run(tmp_path / "binary", rows=binary_rows(rows), **common, **changes)
    write_run(tmp_path / "else", n_classes=3, rows=rows, threshold={"value": None, "chosen_on": None})
    facts = {split: pair_facts(of_split) for split, of_split in rows.items()}
    systems, _ = systems_of(index_runs(tmp_path).runs, lambda run: facts)
    roles = next(system for system in systems if [run.folder.name for run in system.runs] == ["roles"])
    assert (42 in roles.binary) == found
