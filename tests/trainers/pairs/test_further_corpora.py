"""Dialogues of further corpora are trained on, and everything else is that of the run's own corpus."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.benchmark.matrix.cell_data import inputs_of, load_data
from iemomecp_dataset.benchmark.matrix.cells import Sweep, cells_of
from iemomecp_dataset.benchmark.runs.identity import system_of
from iemomecp_dataset.benchmark.runs.results import RunResults, read_results
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import MissingDataError, RunFolderError, UsageError
from iemomecp_dataset.folds import make_folds, write_folds
from iemomecp_dataset.trainers import load_scorer, predict
from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer
from iemomecp_dataset.trainers.dialogue.task import drawn_in_epoch, prepare_dialogue
from iemomecp_dataset.trainers.encoders.context import TextInContext
from iemomecp_dataset.trainers.objectives import IGNORED_LABEL
from iemomecp_dataset.trainers.options import CATEGORY_WEIGHT, DataOptions, TrainingOptions
from iemomecp_dataset.trainers.pairs.further_corpora import asked_corpora, further_remarks, with_further_corpora
from iemomecp_dataset.trainers.pairs.run_kind import PairRun
from iemomecp_dataset.trainers.run import run
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.run_inputs import origin_data, run_inputs
from iemomecp_dataset.trainers.training.agreement import facts_of_inputs, facts_of_options
from iemomecp_dataset.trainers.training.samplers import Drawn

WORDS = ("rain", "train", "letter", "garden", "window", "kitchen", "bridge", "market")


def spoken(place: int, turn: int) -> str:
    """Two texts are equal only where both numbers are."""
    return f"The {WORDS[place % 8]} number {place} was seen {turn} times today by {WORDS[turn]} people ."


def write_ecf(folder: Path, **places: range) -> Path:
    """ECF of three turns a dialogue; the third has a later cause."""
    folder.mkdir()
    names = {"train": "train.txt", "validation": "dev.txt", "test": "test.txt"}
    for split, numbers in places.items():
        lines = []
        for place in numbers:
            lines += [f"{place} 3", "(2,1),(2,2),(1,3)"]
            for turn, emotion in ((1, "joy"), (2, "surprise"), (3, "neutral")):
                clip = "Show_S1E1: 00:00:01.500 - 00:00:02.000"
                lines.append(f"{turn} | {'AB'[turn % 2]} | {emotion} | {spoken(place, turn)} | {clip}")
        (folder / names[split]).write_text("\n".join(lines) + "\n")
    return folder


def write_turn_lists(folder: Path, name: str, numbers: Iterable[int]) -> Path:
    """RECCON or MECAD of three turns a dialogue; the second has the first as its cause, the first the last."""
    folder.mkdir(exist_ok=True)
    evidence = "expanded emotion cause evidence"
    dialogues = {
        f"d{place}": [
            [
                {"turn": 1, "speaker": "A", "utterance": spoken(place, 1), "emotion": "anger", evidence: [3]},
                {"turn": 2, "speaker": "B", "utterance": spoken(place, 2), "emotion": "surprise", evidence: [1, 2]},
                {"turn": 3, "speaker": "A", "utterance": spoken(place, 3), "emotion": "neutral"},
            ]
        ]
        for place in numbers
    }
    (folder / name).write_text(json.dumps(dialogues))
    return folder


@pytest.fixture(name="ecf", scope="module")
def fixture_ecf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ecf") / "data"
    return write_ecf(folder, train=range(4), validation=range(10, 13), test=range(20, 22))


@pytest.fixture(name="reccon", scope="module")
def fixture_reccon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight dialogues, of which ECF has one in train, two in validation and one in test."""
    folder = tmp_path_factory.mktemp("reccon") / "data"
    write_turn_lists(folder, "dailydialog_train.json", (3, 11, 12, 21, 30, 31, 32, 33))
    return write_turn_lists(folder, "dailydialog_valid.json", range(40, 42))


def mixed(main: Corpus, *train_with: str, **options: Any) -> Corpus:
    return with_further_corpora(main, DataOptions(train_with=train_with, **options))


@pytest.mark.parametrize(
    ("train_with", "weights", "message"),
    [
        (["reccon"], [], r"--train_with takes CORPUS=DIR or CORPUS:SPLIT=DIR, such as reccon=DIR, but is 'reccon'"),
        (["reccon="], [], r"but is 'reccon='"),
        (["recon=a"], [], r"--train_with names 'recon', which is no corpus of pairs. Did you mean 'reccon'"),
        (["meld=a"], [], r"'meld', which is no corpus of pairs"),
        (["reccon:dve=a"], [], r"reccon has no split 'dve'"),
        (["reccon=a", "reccon:train=b"], [], r"names reccon twice"),
        (["reccon=a"], ["mecad=2"], r"--train_with_weights names mecad, which --train_with does not"),
        ([], ["mecad=2"], r"Give --train_with, too"),
        (["reccon=a"], ["reccon=1", "reccon=2"], r"--train_with_weights names reccon twice"),
        *(
            (["reccon=a"], [f"reccon{text}"], r"with a weight above 0 and at most 1000, such as reccon=0.5")
            for text in ("", "=", "=much", "=0", "=-1", "=nan", "=inf", "=1001")
        ),
    ],
)
def test_what_cannot_be_read_is_refused(train_with: list[str], weights: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        asked_corpora(train_with, weights)


def test_a_single_text_is_one_entry() -> None:
    (one,) = asked_corpora("reccon:test_iemocap=a=b", "reccon:test_iemocap=3")
    assert (one.key, one.split, one.folder, one.weight) == ("reccon:test_iemocap", "test_iemocap", "a=b", 3.0)


def test_dialogues_that_validation_or_test_have_are_left_out_and_counted(ecf: Path, reccon: Path) -> None:
    main = load_corpus("ecf", ecf)
    found = mixed(main, f"reccon={reccon}", f"reccon:validation={reccon}", train_with_weights=("reccon=0.5",))
    one, other = found.further
    assert one.excluded == {"validation": ["d11", "d12"], "test": ["d21"]}
    assert [row["dialogue_id"] for row in one.rows] == ["d3", "d30", "d31", "d32", "d33"]
    assert (one.key, other.key, len(other.rows), other.excluded) == ("reccon", "reccon:validation", 2, {})
    assert dataclasses.replace(found, further=()) == main, "the main corpus is what it was"
    assert (one.facts["dialogues"], one.facts["dialogues_per_epoch"], other.per_epoch) == (5, 2, 2)
    assert drawn_in_epoch(found) == (Drawn(4, 4), Drawn(5, 2), Drawn(2, 2))
    assert drawn_in_epoch(mixed(main, f"reccon={reccon}")) == drawn_in_epoch(main) == ()
    first, second, last = further_remarks(found)
    assert "5 dialogues of reccon as well" in first
    assert "left out: 2 that ecf/validation has, too, 1 that ecf/test has, too" in first
    assert "none of them is in validation or test" in second
    assert last == "Class weights, distance prior and structural baselines are computed on ecf alone."
    without_test = load_corpus("ecf", ecf, split="train")
    with pytest.raises(MissingDataError, match="--train_with needs a validation split of ecf"):
        mixed(without_test, f"reccon={reccon}")
    assert further_remarks(main) == []


def test_what_nobody_was_asked_for_is_no_negative_example(ecf: Path, reccon: Path, tmp_path: Path) -> None:
    main = load_corpus("ecf", ecf)
    (one,) = mixed(main, f"reccon={reccon}").further
    assert (one.corpus.tables["train"].distances >= 0).all(), "RECCON has no labels of later causes"
    assert one.facts["missed_positives"] == 5, "that of the first turn is gold all the same"
    assert one.facts["candidates"] == "past"
    mecad = write_turn_lists(tmp_path / "mecad", "train_data_pair.json", range(50, 52))
    (later,) = mixed(main, f"mecad={mecad}", train_with_other_languages=True).further
    assert (later.corpus.tables["train"].distances < 0).any()
    past = load_corpus("ecf", ecf, candidates="past")
    (made_equal,) = mixed(past, f"mecad={mecad}", train_with_other_languages=True).further
    assert (made_equal.corpus.tables["train"].distances >= 0).all()


def test_candidates_with_a_later_cause_of_iemomecp_are_left_out_and_counted(ecf: Path, synthetic_dir: Path) -> None:
    main = dataclasses.replace(load_corpus("ecf", ecf), synthetic=True)
    found = mixed(main, f"source_binary={synthetic_dir}")
    (one,) = found.further
    own = load_corpus("source_binary", synthetic_dir, split="train").tables["train"].distances
    assert one.facts["later_candidates_left_out"] == (own < 0).sum() > 0
    assert one.facts["candidate_pairs"] == (own >= 0).sum()
    assert f"; {(own < 0).sum()} candidates with a later cause are left out" in further_remarks(found)[0]


def test_what_does_not_fit_is_refused(ecf: Path, reccon: Path, tmp_path: Path) -> None:
    main = load_corpus("ecf", ecf)
    mecad = write_turn_lists(tmp_path / "mecad", "train_data_pair.json", range(50, 52))
    with pytest.raises(UsageError, match=r"mecad is in another language \(zh\) than ecf \(en\)"):
        mixed(main, f"mecad={mecad}")
    with pytest.raises(UsageError, match="names the main corpus, ecf, itself"):
        mixed(main, f"ecf={ecf}")
    roles = two_dialogue_corpus(3)
    with pytest.raises(UsageError, match=r"3class\) has emo_cause.*cannot be mixed. Use --config_name source_binary"):
        mixed(roles, f"reccon={reccon}")
    with pytest.raises(UsageError, match=r"3class has the pair classes emo_cause.*Use source_binary in its place"):
        mixed(main, "3class=anywhere")
    with pytest.raises(UsageError, match="cannot mix synthetic and real dialogues: ecf is synthetic, reccon is not"):
        mixed(dataclasses.replace(main, synthetic=True), f"reccon={reccon}")
    common = load_corpus("ecf", ecf, emotions="common")
    (one,) = mixed(common, f"reccon={reccon}").further
    emotions = [common.emotion_names[u["emotion"]] for u in one.rows[0]["utterances"]]
    assert emotions == ["anger", "surprise", "neutral"]
    scored = write_turn_lists(tmp_path / "scored", "dailydialog_train.json", range(10, 13))
    with pytest.raises(UsageError, match="all 3 dialogues are in validation or test of ecf"):
        mixed(main, f"reccon={scored}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scorer": "isolated"}, "--scorer isolated builds its examples itself"),
        ({"modalities": "ta"}, "Use --modalities t"),
        ({"emotion_from": "run"}, "--emotion_from has the emotions of one corpus"),
        ({"train_with": (), "corpus_embedding": True}, "--corpus_embedding belongs to --train_with"),
        ({"train_with": (), "train_with_other_languages": True}, "--train_with_other_languages belongs to"),
        ({"train_with": ("reccon",)}, "takes CORPUS=DIR"),
    ],
)
def test_options_that_cannot_go_together_are_refused(options: dict[str, Any], message: str) -> None:
    given = {"data_dir": "d", "config_name": "ecf", "output_dir": "o", "train_with": ("reccon=r",), **options}
    with pytest.raises(UsageError, match=message):
        TrainingOptions.from_flat({**TrainingOptions.defaults_for(given), **given}).check()


@pytest.fixture(name="trained", scope="module")
def fixture_trained(
    ecf: Path, reccon: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[RunResults, Path]]:
    """Trains an epoch; equal options once."""
    folder = tmp_path_factory.mktemp("runs")
    done: dict[str, Path] = {}

    def train(**options: Any) -> tuple[RunResults, Path]:
        key = json.dumps(options, sort_keys=True)
        output = done.setdefault(key, folder / str(len(done)))
        run(settings(output, **options))
        return read_results(output), output

    def settings(output: Path, **options: Any) -> TrainingOptions:
        given = {
            "data_dir": str(ecf), "config_name": "ecf", "text_encoder": str(tiny_encoder), "encoder_mode": "frozen",
            "hidden_size": 8, "num_heads": 2, "num_layers": 1, "pair_size": 4, "bilinear_size": 2, "epochs": 1,
            "batch_size": 2, "learning_rate": 0.01, "weight_averaging": 0.0, "output_dir": str(output), "quiet": True,
            "cache_dir": str(folder / "cache"), **options,
        }  # fmt: skip
        asked = TrainingOptions.from_flat(given)
        asked.check()
        return asked

    train.settings = settings  # type: ignore[attr-defined]
    return train


def test_only_what_is_trained_on_changes(trained: Any, reccon: Path) -> None:
    alone, before = trained()
    further, folder = trained(train_with=(f"reccon={reccon}",))
    assert further.structural_baselines == alone.structural_baselines
    assert (further.counts, further.data_fingerprint) == (alone.counts, alone.data_fingerprint)
    learned, learned_alone = ((run / "model" / "model.safetensors").read_bytes() for run in (folder, before))
    assert learned != learned_alone
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 5, "an epoch has 4 + 5 dialogues, two a step"
    (facts,) = further.trained_with.values()
    assert facts["excluded"] == {"validation": ["d11", "d12"], "test": ["d21"]}
    assert (facts["dialogues"], facts["utterances"], facts["gold_pairs"]) == (5, 15, 15)
    assert facts["truncated_utterances"] == 0
    assert any("5 dialogues of reccon as well" in remark for remark in further.extra["remarks"])
    assert any("The emotion categories of reccon are not those of ecf" in one for one in further.extra["remarks"])
    assert alone.trained_with == {}
    card = (folder / "model" / "README.md").read_text()
    assert "| reccon | train | past | 5 | 5 | 15 | 15 | 3 |" in card
    assert str(reccon) not in card


def test_categories_of_another_inventory_are_not_learned_and_those_of_the_corpus_are(
    trained: Any, reccon: Path, tmp_path: Path
) -> None:
    accelerator = Accelerator(cpu=True)
    for emotions, learned in (("corpus", False), ("common", True)):
        options = trained.settings(tmp_path, train_with=(f"reccon={reccon}",), emotions=emotions)
        corpus = PairRun().corpus(options, None)
        task = prepare_dialogue(options, corpus, accelerator, DialogueScorer)
        assert task.took_effect["emotion_category_weight"] == CATEGORY_WEIGHT
        assert task.model.config.emotion_names == list(corpus.emotion_names)
        for number in (0, 1):
            of = [one for one in task.examples["train"] if one.corpus == number]
            labels = np.concatenate([one.emotion_categories for one in of])
            assert (labels != IGNORED_LABEL).any() == (number == 0 or learned)


def test_another_mixture_is_another_system(trained: Any, reccon: Path) -> None:
    alone, _ = trained()
    all_of_them, folder = trained(train_with=(f"reccon={reccon}",))
    half, of_half = trained(train_with=(f"reccon={reccon}",), train_with_weights=("reccon=0.5",))
    systems = [system_of(record) for record in (alone, all_of_them, half)]
    assert "train_with" not in systems[0]
    assert systems[1]["train_with"].startswith("reccon [")
    assert systems[2]["train_with"].startswith("reccon x 0.5 [")
    assert half.trained_with["reccon"]["dialogues_per_epoch"] == 2
    log = [json.loads(line) for line in (of_half / "log.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 3, "an epoch has 4 + 2 dialogues"
    corpus = load_corpus("ecf", half.extra.get("data_dir") or trained.settings(folder).data.data_dir)
    for options in ({}, {"train_with": (f"reccon={reccon}",), "train_with_weights": ("reccon=0.5",)}):
        asked = trained.settings(folder, **options)
        inputs = run_inputs(asked, with_further_corpora(corpus, asked.data), 1)
        with pytest.raises(RunFolderError, match=r"what is trained on of reccon \(--train_with\) has changed"):
            RunFolder(folder).holds(asked, inputs)
    same = trained.settings(folder, train_with=(f"reccon={reccon.parent}/../{reccon.parent.name}/data",))
    inputs = run_inputs(same, with_further_corpora(corpus, same.data), 1)
    assert RunFolder(folder).holds(same, inputs), "its path does not matter"
    assert "what is trained on of reccon (--train_with)" in facts_of_inputs(inputs)
    assert facts_of_options(same)["--train_with"] == "given"
    assert facts_of_options(trained.settings(folder))["--train_with"] == "not given"


def test_a_vector_for_each_corpus_and_new_dialogues_take_that_of_the_run(trained: Any, ecf: Path, reccon: Path) -> None:
    record, folder = trained(train_with=(f"reccon={reccon}",), corpus_embedding=True)
    plain, _ = trained(train_with=(f"reccon={reccon}",))
    assert system_of(record)["corpus_embedding"] == "True"
    assert "corpus_embedding" not in system_of(plain), "runs of earlier versions are the same system"
    model = load_scorer(folder)
    assert model.config.corpus_names == ["ecf", "reccon"]
    assert (model.corpus.abs().sum(dim=1) > 0).all(), "both are learned"
    assert not torch.equal(model.corpus[0], model.corpus[1])
    rows = load_corpus("ecf", ecf).rows["test"]
    found = np.concatenate(predict(model, rows))
    with torch.no_grad():
        model.corpus[1].fill_(5.0)
    assert np.array_equal(found, np.concatenate(predict(model, rows))), "that of RECCON is not used"
    with torch.no_grad():
        model.corpus[0].fill_(5.0)
    assert not np.allclose(found, np.concatenate(predict(model, rows)))
    assert "new dialogues are scored as those of ecf" in (folder / "model" / "README.md").read_text()


def test_texts_of_further_corpora_are_read_in_context_too(trained: Any, ecf: Path, reccon: Path) -> None:
    asked = trained.settings(ecf.parent / "unused", train_with=(f"reccon={reccon}",), text_context=1)
    corpus = with_further_corpora(load_corpus("ecf", ecf), asked.data)
    task = prepare_dialogue(asked, corpus, Accelerator(cpu=True), DialogueScorer)
    found = [one.encoded_texts for one in task.examples["train"]]
    one, two, three = (utterance["text"] for utterance in corpus.further[0].rows[0]["utterances"])
    assert list(found[4]) == [TextInContext((one,), 0), *(TextInContext(of, 1) for of in ((one, two), (two, three)))]
    assert all(isinstance(text, TextInContext) for texts in found for text in texts)
    assert task.truncated["reccon"] == {"truncated_utterances": 0, "shortened_contexts": 0}


def test_a_run_on_a_fold_leaves_out_what_that_fold_has(trained: Any, ecf: Path, reccon: Path, tmp_path: Path) -> None:
    folds = make_folds(load_corpus("ecf", ecf), 2)
    write_folds(tmp_path / "folds.json", folds)
    for fold in (1, 2):
        asked = trained.settings(
            tmp_path / "run", folds=str(tmp_path / "folds.json"), fold=fold, train_with=(f"reccon={reccon}",)
        )
        (one,) = PairRun().corpus(asked, None).further
        # Dialogue 3 is in the train split of ECF, and is scored where it is in the fold.
        assert ("d3" in one.excluded.get("test", ())) == (folds.fold_of["3"] == fold)
        assert ("d3" in [row["dialogue_id"] for row in one.rows]) == (folds.fold_of["3"] != fold)


def test_a_matrix_knows_what_its_cells_are_trained_with(trained: Any, reccon: Path, ecf: Path) -> None:
    record, _ = trained(train_with=(f"reccon={reccon}",))
    values = {"data_dir": (str(ecf),), "config_name": ("ecf",), "train_with": (f"reccon={reccon}",)}
    (cell,) = cells_of(Sweep(values=values, seeds=(1,)))
    found = inputs_of(load_data([cell]))(cell)
    stated = {key: {**facts} for key, facts in record.trained_with.items()}
    del stated["reccon"]["truncated_utterances"]
    assert found.trained_with == stated


def test_a_run_that_begins_with_another_knows_all_that_it_was_trained_on(trained: Any, reccon: Path) -> None:
    _, folder = trained(train_with=(f"reccon={reccon}",))
    splits, notes = origin_data(trained.settings(folder / "next", init_from=str(folder)))
    assert ([(one.corpus, one.split) for one in splits], notes) == ([("ecf", "train"), ("reccon", "train")], [])
    # Not what it left out: d11 and d12 are in validation, d21 is in test.
    assert [row["dialogue_id"] for row in splits[1].rows] == ["d3", "d30", "d31", "d32", "d33"]
