"""The evaluate module of emotions: by name, in batches, with keys, and its card."""

import doctest
import math

import forked_python
import numpy as np
import pytest

import iemomecp_dataset.metrics  # noqa: F401  # makes the name known
from iemomecp_dataset.corpora.metadata import emotions_of_config
from iemomecp_dataset.errors import MetricInputError, UsageError
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores
from iemomecp_dataset.metrics.emotion_shifts import shift_scores
from iemomecp_dataset.schema import COMMON_EMOTIONS

evaluate = pytest.importorskip("evaluate")

CONFIGS = ("meld", "iemocap", "ecf", "mecad", "reccon", "common")
NAMES = emotions_of_config("ecf")
PROBABILITIES = np.random.default_rng(0).dirichlet(np.ones(7), 60)
LABELS = np.random.default_rng(1).integers(0, 7, 60)
KEYS = {
    "dialogue_ids": np.repeat(["a", "b"], 30),
    "turns": np.tile(np.arange(1, 31), 2),
    "speakers": np.random.default_rng(2).choice(["A", "B"], 60),
}


def names_of(config):
    return COMMON_EMOTIONS if config == "common" else emotions_of_config(config)


@pytest.fixture
def load(tmp_path):
    def by_name(config="ecf", **options):
        return evaluate.load("iemomecp_erc", config, cache_dir=str(tmp_path), **options)

    return by_name


@pytest.mark.parametrize("config", CONFIGS)
def test_every_corpus_scores_its_own_classes_and_knows_its_neutral(load, config):
    names = names_of(config)
    neutral = "neu" if config == "iemocap" else "neutral"
    predicted = np.arange(len(names))
    result = load(config, keep_in_memory=True).compute(predictions=predicted, references=predicted)
    assert result == emotion_scores(predicted, predicted, names, neutral=neutral)
    assert result["weighted_f1_without_neutral"] == 1


def test_gives_exactly_what_the_plain_functions_give(load):
    plain = emotion_scores(PROBABILITIES, LABELS, NAMES, neutral="neutral")
    assert load().compute(predictions=PROBABILITIES, references=LABELS) == plain
    shifts = shift_scores(PROBABILITIES.argmax(axis=1), LABELS, *KEYS.values())
    result = load().compute(predictions=PROBABILITIES, references=LABELS, **KEYS)
    assert result == plain | shifts
    assert list(result)[-1] == "undefined"


def test_batches_and_single_utterances_add_up(load):
    whole = emotion_scores(PROBABILITIES, LABELS, NAMES, neutral="neutral")
    batched, single = load(keep_in_memory=True), load(keep_in_memory=True)
    for start in range(0, 60, 17):
        batched.add_batch(predictions=PROBABILITIES[start : start + 17], references=LABELS[start : start + 17])
    for row, label in zip(PROBABILITIES, LABELS, strict=True):
        single.add(prediction=row, reference=label)
    assert batched.compute() == single.compute() == whole


def test_a_missing_key_is_named(load):
    with pytest.raises(MetricInputError, match="missing: speakers"):
        load().compute(predictions=LABELS, references=LABELS, dialogue_ids=KEYS["dialogue_ids"], turns=KEYS["turns"])


def test_unknown_configurations_are_answered_when_loading(load):
    with pytest.raises(UsageError, match=r"no 'melt'\. Did you mean 'meld'"):
        load("melt")
    with pytest.raises(UsageError, match="no configuration was named"):
        load(None)
    with pytest.raises(UsageError, match="IEMO-MECP has the emotions of iemocap"):
        load("3class")


@pytest.mark.parametrize(
    ("predictions", "references", "words"),
    [
        ([0.9, 0.2], [0, 1], "shape"),
        ([True, False], [0, 1], "shape"),
        ([0, 7], [0, 1], "Prediction 7 of utterance 1"),
        ([0, 1], [0, -1], "without a known emotion"),
        ([[0.5] * 7], [0], "do not sum to one"),
        ([[3.0, -2.0, 0, 0, 0, 0, 0]], [0], "logits"),
        ([[math.nan] * 7], [0], "not all finite"),
        ([0, 1], [0.0, 1.0], "integer class ids"),
    ],
)
def test_what_the_plain_function_refuses_is_refused_before_the_cast(load, predictions, references, words):
    metric = load(keep_in_memory=True)
    for add in (metric.compute, metric.add_batch):
        with pytest.raises(MetricInputError, match=words):
            add(predictions=predictions, references=references)
    assert metric.compute(predictions=[0, 1], references=[0, 1])["n_utterances"] == 2  # nothing else was added


@pytest.mark.slow
def test_import_of_the_package_alone_suffices_in_a_new_process(tmp_path):
    code = (
        "import iemomecp_dataset, evaluate; "
        "print(evaluate.load('iemomecp_erc', 'ecf', keep_in_memory=True)"
        ".compute(predictions=[0, 1], references=[0, 1])['weighted_f1'])"
    )
    done = forked_python.run("-c", code, cwd=tmp_path)
    assert done.stdout.strip() == "1.0", done.stderr


def test_card_examples_give_what_they_show(repository):
    card = repository / "metrics" / "iemomecp_erc" / "README.md"
    results = doctest.testfile(str(card), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0
    assert results.attempted >= 9


def test_example_in_the_description_gives_what_it_shows(load):
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    examples = parser.get_doctest(load().inputs_description, {}, "inputs_description", None, 0)
    assert len(examples.examples) >= 4
    assert runner.run(examples).failed == 0


def test_card_names_every_key_option_and_class(repository, load):
    card = (repository / "metrics" / "iemomecp_erc" / "README.md").read_text(encoding="utf-8")
    for key in load().compute(predictions=PROBABILITIES, references=LABELS, **KEYS):
        name = key
        for emotion in NAMES:
            name = f"<class>_{name.removeprefix(emotion + '_')}" if name.startswith(f"{emotion}_") else name
        assert name in card, name
    for config in CONFIGS:
        assert f"| `{config}` | {', '.join(f'`{name}`' for name in names_of(config))} |" in card
    for option in KEYS:
        assert f"`{option}`" in card


def test_space_asks_for_what_the_pair_metrics_space_asks_for(repository):
    files = [repository / "metrics" / name / "requirements.txt" for name in ("iemomecp_erc", "iemomecp_pair_f1")]
    assert files[0].read_text() == files[1].read_text()
    assert '"iemomecp_erc", "meld"' in (files[0].parent / "app.py").read_text()
