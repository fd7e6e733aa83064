"""What is compared: a baseline, one decision at a time, named variants, combinations; and their cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from iemomecp_dataset.benchmark.cross_validation.variants import Variant, fold_cells, read_variants, variants_of
from iemomecp_dataset.benchmark.matrix.options import trainer_options
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError

DATA = {"data_dir": ("data",), "config_name": ("ecf",)}


def names(*arguments: object) -> list[str]:
    return [variant.name for variant in variants_of(*arguments)[1]]  # type: ignore[arg-type]


def test_each_value_of_vary_changes_one_option_of_the_baseline() -> None:
    baseline, variants = variants_of({**DATA, "dropout": ("0.3",)}, ["learning_rate=1e-4,1e-3", "objective=rpcl"])
    assert baseline == {"data_dir": "data", "config_name": "ecf", "dropout": "0.3"}
    assert [(variant.name, dict(variant.changes)) for variant in variants] == [
        ("baseline", {}),
        ("learning_rate=1e-4", {"learning_rate": "1e-4"}),
        ("learning_rate=1e-3", {"learning_rate": "1e-3"}),
        ("objective=rpcl", {"objective": "rpcl"}),
    ]


def test_every_combination_of_several_values_is_a_variant() -> None:
    found = names({**DATA, "objective": ("base", "rpcl"), "dropout": ("0.3", "0.4")})
    assert found == ["baseline", "dropout=0.4", "objective=rpcl", "objective=rpcl,dropout=0.4"]


def test_named_variants_begin_with_the_baseline_of_their_file(tmp_path: Path) -> None:
    path = tmp_path / "variants.yaml"
    path.write_text("baseline: {dropout: 0.2}\nnarrow: {hidden_size: 128}\nas it is:\n")
    baseline, variants = variants_of(DATA, (), read_variants(path))
    assert baseline["dropout"] == 0.2
    assert [variant.name for variant in variants] == ["baseline", "narrow", "as it is"]
    (cell, *_) = fold_cells(baseline, [variants[1]], (1,), Path("folds.json"), 2)
    assert (cell.cell.options.model.hidden_size, cell.cell.options.model.dropout) == (128, 0.2)


def test_a_variant_names_several_further_corpora(tmp_path: Path) -> None:
    path = tmp_path / "variants.yaml"
    path.write_text("one: {train_with: reccon=r}\ntwo: {train_with: [reccon=r, 'source_binary:train=i']}\n")
    _, (_, one, two) = variants_of({**DATA, "modalities": ("t",)}, (), read_variants(path))
    cells = fold_cells({"data_dir": "data", "config_name": "ecf", "modalities": "t"}, [one, two], (1,), path, 2)
    found = [cell.cell.options.data.train_with for cell in cells[:2]]
    assert found == [("reccon=r",), ("reccon=r", "source_binary:train=i")]
    flags = cells[1].cell.flags(Path("runs"))
    place = flags.index("--train_with")
    assert flags[place : place + 3] == ["--train_with", "reccon=r", "source_binary:train=i"]


def test_several_further_corpora_on_the_command_line_are_one_value() -> None:
    given = trainer_options(["--train_with", "reccon=/a/r", "source_binary=/a/i", "--dropout", "0.2", "0.4"])
    baseline, variants = variants_of({**DATA, **given}, ["train_with=reccon=/b/data", "init_from=/b/x/42,/b/y/42"])
    assert baseline["train_with"] == ("reccon=/a/r", "source_binary=/a/i")
    assert [variant.name for variant in variants] == [
        *("baseline", "dropout=0.4", "train_with=reccon", "init_from=x/42", "init_from=y/42"),
    ]
    cells = fold_cells({**baseline, "modalities": "t"}, variants, (1,), Path("folds.json"), 1)
    assert cells[0].cell.options.data.train_with == ("reccon=/a/r", "source_binary=/a/i")
    assert cells[2].cell.options.data.train_with == ("reccon=/b/data",)


def test_variants_that_are_the_same_recipe_are_refused() -> None:
    common = {**DATA, "learning_rate": ("0.01",)}
    for vary, message in (
        ("learning_rate=0.01", "Variant learning_rate=0.01 has the same options as baseline"),
        ("dropout=0.3,0.30", "Variant dropout=0.30 has the same options as dropout=0.3"),
    ):
        baseline, variants = variants_of(common, [vary])
        with pytest.raises(UsageError, match=message):
            fold_cells(baseline, variants, (1,), Path("folds.json"), 2)


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--dropout is given on the command line and in the file of variants"):
        variants_of({**DATA, "dropout": ("0.3",)}, (), [Variant("baseline", {"dropout": 0.2})])


def test_cells_are_runs_of_one_fold_each() -> None:
    baseline, variants = variants_of(DATA, ["text_encoder=/opt/mpnet/model"])
    cells = fold_cells(baseline, variants, (7, 3), Path("runs/folds.json"), 2)
    assert [one.cell.name for one in cells] == [
        *("baseline-s7-fold1", "text_encoder=mpnet-s7-fold1", "baseline-s7-fold2", "text_encoder=mpnet-s7-fold2"),
        *("baseline-s3-fold1", "text_encoder=mpnet-s3-fold1", "baseline-s3-fold2", "text_encoder=mpnet-s3-fold2"),
    ]
    flags = cells[3].cell.flags(Path("runs"))
    assert {"--folds=runs/folds.json", "--fold=2", "--seed=7", "--text_encoder=/opt/mpnet/model"} < set(flags)
    assert (cells[3].variant.name, cells[3].seed, cells[3].fold) == ("text_encoder=mpnet", 7, 2)


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        (
            ["learnin_rate=1"],
            r"Variant learnin_rate=1: there is no option 'learnin_rate'\. Did you mean 'learning_rate'",
        ),
        (["dropout"], r"--vary takes an option with its values, such as learning_rate=1e-4,3e-4; found 'dropout'"),
        (["dropout="], "--vary takes an option with its values"),
        (["seed=1"], r"changes seed, which cannot vary: give the seeds with --seeds"),
        (["candidates=past"], r"changes candidates, which cannot vary: all variants are scored on the same pairs"),
        (["dropout=0.2", "dropout=0.2"], r"Two variants would share the folder dropout=0.2"),
    ],
)
def test_what_cannot_vary_is_refused(vary: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        variants_of(DATA, vary)


def test_options_of_the_command_are_not_options_of_the_baseline() -> None:
    with pytest.raises(UsageError, match=r"--fold is not an option of a cross-validation: every fold is a cell"):
        variants_of({**DATA, "fold": ("1",)})


def test_names_that_one_folder_cannot_tell_apart_are_refused() -> None:
    with pytest.raises(UsageError, match="Two variants would share the folder a_b: a b and a/b"):
        variants_of(DATA, (), [Variant("a b"), Variant("a/b")])


def test_a_value_that_does_not_fit_names_the_variant() -> None:
    with pytest.raises(UsageError, match=r"Variant dropout=high: .*dropout"):
        variants_of(DATA, ["dropout=high"])
    # What a single option allows and the run does not.
    baseline, variants = variants_of(DATA, ["context_ranking_weight=0.5"])
    with pytest.raises(UsageError, match=r"Variant context_ranking_weight=0.5: .*adds to a margin ranking"):
        fold_cells(baseline, variants, (1,), Path("folds.json"), 2)


def test_files_that_hold_no_variants_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "variants.yaml"
    with pytest.raises(MissingDataError, match="is not there"):
        read_variants(path)
    for text in (
        "[1, 2]",
        "narrow: 128",
        "narrow: {hidden_size: [1, 2]}",
        "narrow: {hidden_size: ['1']}",
        "more: {train_with: [{reccon: r}]}",
        "3: {hidden_size: 1}",
        "",
    ):
        path.write_text(text)
        with pytest.raises(InvalidDataError, match=r"narrow: \{hidden_size: 128\}"):
            read_variants(path)
    for text, words in (("narrow: {hiden_size: 1}", "no option 'hiden_size'"), ("deep: {num_layers: many}", "many")):
        path.write_text(text)
        with pytest.raises(UsageError, match=rf"variants.yaml: Variant .*{words}"):
            read_variants(path)
