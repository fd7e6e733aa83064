"""Tests mirror the rooms: ``a/b.py`` is tested by ``tests/a/test_b.py``, or the list says by which file."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ROOMS = ("iemomecp_dataset", "metrics", "trainers", "benchmark", "scripts")

# Modules without a test file of their own, by the file that tests them; both below tests/ and the root.
TESTED_BY = {
    "benchmark/baselines/*": "benchmark/baselines/test_structural.py",
    "benchmark/diagnostics/*": "benchmark/diagnostics/test_diagnostics.py",
    "benchmark/figures/*": "scripts/test_generate_figures.py",
    "benchmark/matrix/*": "benchmark/matrix/test_launch.py",
    "benchmark/peers/imports/*_output.py": "benchmark/peers/imports/test_outputs.py",
    "benchmark/peers/hilo_launcher/*": "benchmark/peers/test_launch_hilo.py",
    "benchmark/published/*": "benchmark/published/test_tables.py",
    "benchmark/peers/*": "benchmark/peers/exports/test_exporting.py",
    "benchmark/report/*": "benchmark/report/test_page.py",
    "benchmark/board_groups.py": "benchmark/test_emotion_board.py",
    "benchmark/board_rows.py": "benchmark/test_board.py",
    "benchmark/results_table.py": "benchmark/test_board.py",
    "benchmark/runs/explanation_submission.py": "metrics/evaluation/explanations/test_evaluation.py",
    "benchmark/runs/predicted_causes.py": "benchmark/runs/test_explanation_results.py",
    "benchmark/runs/log.py": "trainers/training/test_checkpoints.py",
    "benchmark/runs/record_checks.py": "benchmark/test_damaged_runs.py",
    "benchmark/speed/*": "scripts/test_bench.py",
    "iemomecp_dataset/candidates.py": "iemomecp_dataset/corpora/test_loading.py",
    "iemomecp_dataset/commands/*": "iemomecp_dataset/commands/test_commands.py",
    "iemomecp_dataset/conversations/*": "iemomecp_dataset/conversations/test_reading.py",
    "iemomecp_dataset/corpora/*": "iemomecp_dataset/corpora/test_loading.py",
    "iemomecp_dataset/dataset_card.py": "iemomecp_dataset/test_export.py",
    "iemomecp_dataset/errors.py": "iemomecp_dataset/test_bad_inputs.py",
    "iemomecp_dataset/features/decoding/*": "iemomecp_dataset/features/decoding/test_decoding.py",
    "iemomecp_dataset/features/encoders/devices.py": "trainers/pipelines/test_devices.py",
    "iemomecp_dataset/features/encoders/*": "iemomecp_dataset/features/test_extraction.py",
    "iemomecp_dataset/features/faces/*": "iemomecp_dataset/features/faces/test_making.py",
    "iemomecp_dataset/features/frames/*": "iemomecp_dataset/features/frames/test_store.py",
    "iemomecp_dataset/features/importers/*": "iemomecp_dataset/features/importers/test_importing.py",
    "iemomecp_dataset/features/store/*": "iemomecp_dataset/features/store/test_feature_store.py",
    "iemomecp_dataset/features/extraction_job*": "iemomecp_dataset/features/test_extraction_jobs.py",
    "iemomecp_dataset/features/extraction_on_ray.py": "iemomecp_dataset/features/test_extraction_jobs.py",
    "iemomecp_dataset/features/*": "iemomecp_dataset/features/test_extraction.py",
    "iemomecp_dataset/files/*": "iemomecp_dataset/files/test_files.py",
    "iemomecp_dataset/jobs/slurm_queue.py": "iemomecp_dataset/jobs/test_on_slurm.py",
    "iemomecp_dataset/find_sources.py": "iemomecp_dataset/merging/test_alignment.py",
    "iemomecp_dataset/fingerprints.py": "iemomecp_dataset/test_registration.py",
    "iemomecp_dataset/jobs/backend.py": "iemomecp_dataset/jobs/test_local.py",
    "iemomecp_dataset/jobs/job.py": "iemomecp_dataset/jobs/test_process.py",
    "iemomecp_dataset/merging/*": "iemomecp_dataset/merging/test_alignment.py",
    "iemomecp_dataset/options.py": "iemomecp_dataset/corpora/test_metadata.py",
    "iemomecp_dataset/overlay/fetching.py": "scripts/test_fetch_labels.py",
    "iemomecp_dataset/overlay/*": "scripts/test_validate_labels.py",
    "iemomecp_dataset/pictures/pair_squares.py": "iemomecp_dataset/pictures/test_pair_plot.py",
    "iemomecp_dataset/reader.py": "iemomecp_dataset/corpora/test_loading.py",
    "iemomecp_dataset/rows.py": "iemomecp_dataset/test_pair_table.py",
    "iemomecp_dataset/schema.py": "iemomecp_dataset/test_builder.py",
    "iemomecp_dataset/sources/*": "iemomecp_dataset/test_bad_inputs.py",
    "iemomecp_dataset/synthetic/*": "iemomecp_dataset/synthetic/test_corpus.py",
    "trainers/language_model/*": "trainers/language_model/test_run.py",
    "trainers/llm.py": "trainers/language_model/test_run.py",
    "metrics/pair_inputs.py": "metrics/test_scoring.py",
    "metrics/signature_fields.py": "metrics/test_signature.py",
    "metrics/evaluation/*": "metrics/evaluation/test_evaluate.py",
    "metrics/iemomecp_erc/app.py": "metrics/iemomecp_erc/test_iemomecp_erc.py",
    "metrics/iemomecp_explanations/app.py": "metrics/iemomecp_explanations/test_iemomecp_explanations.py",
    "metrics/iemomecp_pair_f1/app.py": "metrics/iemomecp_pair_f1/test_iemomecp_pair_f1.py",
    "metrics/significance/*": "metrics/significance/test_resampling.py",
    "scripts/demo.py": "iemomecp_dataset/commands/test_demo.py",
    "scripts/diagnose.py": "iemomecp_dataset/commands/test_diagnose.py",
    "scripts/ensemble.py": "benchmark/ensembles/test_making.py",
    "scripts/export_for.py": "iemomecp_dataset/commands/test_export_for.py",
    "scripts/import_from.py": "benchmark/peers/imports/test_importing.py",
    "scripts/export_conversations.py": "iemomecp_dataset/commands/test_export.py",
    "scripts/make_faces.py": "iemomecp_dataset/features/faces/test_making.py",
    "scripts/make_tiny_encoder.py": "test_readme.py",
    "trainers/app/*": "trainers/app/test_interface.py",
    "trainers/clip.py": "trainers/test_cli.py",
    "trainers/ecerc.py": "trainers/test_cli.py",
    "trainers/emotion.py": "trainers/test_cli.py",
    "trainers/compositions.py": "trainers/test_objectives.py",
    "trainers/emotions/*": "trainers/emotions/test_modeling_ecerc.py",
    "trainers/encoders/*": "trainers/encoders/test_text.py",
    "trainers/explanation/adapters.py": "trainers/explanation/test_modeling_explanation.py",
    "trainers/explanation/projector.py": "trainers/explanation/test_modeling_explanation.py",
    "trainers/explain.py": "trainers/test_cli.py",
    "trainers/explanation/*": "trainers/explanation/test_run_kind.py",
    "trainers/fusion.py": "trainers/test_cli.py",
    "trainers/isolated/*": "trainers/isolated/test_modeling.py",
    "trainers/roberta.py": "trainers/test_cli.py",
    "trainers/pairs/config.py": "trainers/test_scorers.py",
    "trainers/pipelines/loaded_model.py": "trainers/pipelines/test_pipeline.py",
    "trainers/prediction/*": "trainers/prediction/test_launching.py",
    "trainers/pipelines/ensemble_scoring.py": "trainers/ensemble/test_modeling.py",
    "trainers/pipelines/writing.py": "iemomecp_dataset/commands/test_predict.py",
    "trainers/pipelines/scoring.py": "trainers/pipelines/test_pipeline.py",
    "trainers/pipelines/loading.py": "trainers/test_inference.py",
    "trainers/run_kind.py": "trainers/test_wiring.py",
    "trainers/training/*": "trainers/training/test_loop.py",
    "trainers/sharing/hub.py": "trainers/sharing/test_pushing.py",
    "trainers/wavlm.py": "trainers/test_cli.py",
}

# Test files that follow a subject through several modules, by what they are about.
ACROSS_MODULES = {
    "benchmark/diagnostics/test_against_published.py",
    "benchmark/matrix/test_on_slurm.py",
    "benchmark/peers/test_identity.py",
    "benchmark/peers/test_official_scores.py",
    "benchmark/peers/test_round_trip.py",
    "benchmark/report/test_hostile_texts.py",
    "benchmark/report/test_pictures.py",
    "benchmark/report/test_widths.py",
    "iemomecp_dataset/test_bad_inputs.py",
    "trainers/prediction/test_on_slurm.py",
    "trainers/test_silence.py",
    "trainers/test_train.py",
    "trainers/test_wiring.py",
}


def modules() -> list[str]:
    return sorted(
        path.relative_to(REPOSITORY).as_posix()
        for room in ROOMS
        for path in (REPOSITORY / room).rglob("*.py")
        if not path.name.startswith("__") and path.relative_to(REPOSITORY).parts[1] not in ROOMS
    )


def own_test(module: str) -> str:
    folder, _, name = module.rpartition("/")
    return f"{folder}/test_{name}"


def test_every_module_has_its_test_file_or_is_named() -> None:
    tests = REPOSITORY / "tests"
    without = [module for module in modules() if not (tests / own_test(module)).is_file()]
    assert len(modules()) > 200
    for module in without:
        assert any(fnmatch.fnmatch(module, pattern) for pattern in TESTED_BY), f"{module} has no test file"
    for pattern, test in TESTED_BY.items():
        assert (tests / test).is_file(), f"{test} does not exist"
        assert any(fnmatch.fnmatch(module, pattern) for module in without), f"{pattern}: every module has its own test"


@pytest.mark.parametrize("room", ROOMS)
def test_every_test_file_mirrors_a_module_or_is_named(room: str) -> None:
    tests = REPOSITORY / "tests"
    named = ACROSS_MODULES | set(TESTED_BY.values())
    for path in sorted((tests / room).rglob("test_*.py")):
        name = path.relative_to(tests).as_posix()
        assert name in named or name in {own_test(module) for module in modules()}, f"{name} mirrors no module"
    assert all((tests / name).is_file() for name in ACROSS_MODULES)
