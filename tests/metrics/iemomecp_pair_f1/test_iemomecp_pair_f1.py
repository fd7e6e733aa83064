"""The evaluate module: by name and by path, in batches, in two processes, and its Space."""

import doctest
import json
import math
import os
import textwrap

import forked_python
import numpy as np
import pytest

import iemomecp_dataset.metrics  # noqa: F401  # makes the name known
from iemomecp_dataset.errors import MetricInputError, UsageError
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.turn_scores import turn_set_scores
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

evaluate = pytest.importorskip("evaluate")

PROBABILITIES = np.random.default_rng(0).dirichlet([1, 1, 1], 60)
LABELS = np.random.default_rng(1).integers(0, 3, 60)


@pytest.fixture
def load(tmp_path):
    def by_name(config=None, **options):
        return evaluate.load("iemomecp_pair_f1", config, cache_dir=str(tmp_path), **options)

    return by_name


def test_gives_exactly_what_the_plain_function_gives(load):
    assert load("3class").compute(predictions=PROBABILITIES, references=LABELS) == pair_scores(
        PROBABILITIES, LABELS, ROLE_LABELS
    )
    options = {"threshold": 0.31, "missed_positives": 4}
    assert load("3class").compute(predictions=PROBABILITIES, references=LABELS, **options) == pair_scores(
        PROBABILITIES, LABELS, ROLE_LABELS, **options
    )


def test_default_configuration_is_3class_and_the_other_is_binary(load):
    assert "emo_context_f1" in load().compute(predictions=PROBABILITIES, references=LABELS)
    binary = load("source_binary").compute(predictions=[[0.9, 0.1], [0.2, 0.8]], references=[0, 1])
    assert binary == pair_scores([[0.9, 0.1], [0.2, 0.8]], [0, 1], PAIR_LABELS)


def test_unknown_configuration_is_answered_when_loading(load):
    with pytest.raises(UsageError, match="Did you mean '3class'"):
        load("3clas")
    with pytest.raises(UsageError, match="ecf, mecad, mec4 and reccon take source_binary"):
        load("ecf")


def test_hard_ids_have_no_average_precision(load):
    result = load().compute(predictions=LABELS, references=LABELS)
    assert result["accuracy"] == 1.0
    assert math.isnan(result["pair_auprc"])


@pytest.mark.parametrize("in_memory", [True, False])
def test_batches_and_single_pairs_add_up(load, in_memory):
    whole = pair_scores(PROBABILITIES, LABELS, ROLE_LABELS)
    batched = load(keep_in_memory=in_memory)
    for start in range(0, 60, 17):
        batched.add_batch(predictions=PROBABILITIES[start : start + 17], references=LABELS[start : start + 17])
    assert batched.compute() == whole
    single = load(keep_in_memory=in_memory)
    for row, label in zip(PROBABILITIES, LABELS, strict=True):
        single.add(prediction=row, reference=label)
    assert single.compute() == whole


def test_combines_with_itself_and_others(load):
    combined = evaluate.combine([load("3class", keep_in_memory=True)])
    combined.add_batch(predictions=PROBABILITIES, references=LABELS)
    assert combined.compute()["pair_f1"] == pair_scores(PROBABILITIES, LABELS, ROLE_LABELS)["pair_f1"]


def test_keys_of_the_pairs_add_turn_sets(load):
    keys = {
        "dialogue_ids": np.repeat(["a", "b"], 30),
        "target_turns": np.tile(np.repeat(np.arange(1, 6), 6), 2),
        "cause_turns": np.tile(np.arange(1, 7), 10),
        "emotional_targets": np.tile(np.repeat([True, False, True, True, False], 6), 2),
    }
    result = load().compute(predictions=PROBABILITIES, references=LABELS, **keys)
    expected = turn_set_scores(PROBABILITIES.argmax(axis=1), LABELS, **keys, has_context=True)
    assert {key: result[key] for key in expected} == expected
    assert list(result)[-1] == "undefined"
    keys.pop("emotional_targets")
    with pytest.raises(MetricInputError, match="missing: emotional_targets"):
        load().compute(predictions=PROBABILITIES, references=LABELS, **keys)


def test_errors_come_through_in_our_words(load):
    with pytest.raises(MetricInputError, match="do not sum to one"):
        load(keep_in_memory=True).compute(predictions=[[0.5, 0.1, 0.1]], references=[0])
    with pytest.raises(MetricInputError, match=r"\[0, 1\]"):
        load(keep_in_memory=True).compute(predictions=PROBABILITIES, references=LABELS, threshold=2)


ROWS = [[0.9, 0.1], [0.2, 0.8]]

# What the features of the module would cast to something that can be scored.
REFUSED = {
    "fractions as class ids": ([0.9, 0.2], [0, 1]),
    "whole floats as class ids": ([0.0, 1.0], [0, 1]),
    "truth values as class ids": ([True, False], [0, 1]),
    "fractions as gold": (ROWS, [0.9, 0.2]),
    "whole floats as gold": (ROWS, [0.0, 1.0]),
    "truth values as gold": (ROWS, [True, False]),
    "gold that is no class": (ROWS, [0, 2]),
    "class ids that are none": ([0, -1], [0, 1]),
    "probabilities of three classes": ([[0.5, 0.3, 0.2]] * 2, [0, 1]),
    "logits": ([[3.0, -1.0], [0.5, 2.0]], [0, 1]),
    "not a number": ([[float("nan"), 0.5], [0.5, 0.5]], [0, 1]),
}


CULPRIT = {"gold that is no class": 1, "class ids that are none": 1}  # the pair that is refused alone, else the first


@pytest.mark.parametrize("kind", ["list", "array", "tensor"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_the_plain_function_refuses_is_refused_before_the_cast_in_the_same_words(load, case, kind):
    if kind == "tensor":
        pytest.importorskip("torch")
    of_kind = {"list": list, "array": np.array, "tensor": lambda v: __import__("torch").tensor(v)}[kind]
    predictions, references = (of_kind(values) for values in REFUSED[case])

    def words(function, *given, **named):
        with pytest.raises(MetricInputError) as refused:
            function(*given, **named)
        return str(refused.value)

    whole = words(pair_scores, predictions, references, PAIR_LABELS)
    metric = load("source_binary", keep_in_memory=True)
    assert words(metric.compute, predictions=predictions, references=references) == whole
    assert words(metric.add_batch, predictions=predictions, references=references) == whole
    alone = {"prediction": predictions[CULPRIT.get(case, 0)], "reference": references[CULPRIT.get(case, 0)]}
    single = words(pair_scores, *([value] for value in alone.values()), PAIR_LABELS)
    assert words(metric.add, **alone) == single
    # Nothing of it was added.
    assert metric.compute(predictions=ROWS, references=[0, 1])["n_pairs"] == 2


def test_mixed_lists_and_texts_are_refused_before_the_cast(load):
    for predictions, references in (([True, 1], [0, 1]), (["0", "1"], [0, 1]), (ROWS, ["0", "1"]), (ROWS, [0, True])):
        with pytest.raises(MetricInputError, match="integer class ids"):
            load("source_binary", keep_in_memory=True).compute(predictions=predictions, references=references)


def test_probabilities_of_16_bits_score_as_in_the_plain_function(load):
    torch = pytest.importorskip("torch")
    probabilities = torch.tensor(PROBABILITIES).bfloat16()
    assert load().compute(predictions=probabilities, references=LABELS) == pair_scores(
        probabilities, LABELS, ROLE_LABELS
    )


def test_batches_of_different_digits_add_up(load):
    metric = load("source_binary", keep_in_memory=True)
    coarse, exact = [[0.51, 0.5], [0.2, 0.8]], [[0.123456789, 0.876543211], [0.7654321, 0.2345679]]
    metric.add_batch(predictions=coarse, references=[0, 1])
    metric.add_batch(predictions=exact, references=[1, 0])
    assert metric.compute() == pair_scores(coarse + exact, [0, 1, 1, 0], PAIR_LABELS)


def python(code, tmp_path, **variables):
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", **variables}
    return forked_python.start("-c", textwrap.dedent(code), env=environment)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["folder", "file"])
def test_loads_by_path_from_the_root_offline_in_a_new_process(repository, tmp_path, form):
    path = repository / "metrics" / "iemomecp_pair_f1"
    path = path if form == "folder" else path / "iemomecp_pair_f1.py"
    code = f"""
        import evaluate
        metric = evaluate.load({str(path)!r}, "source_binary")
        print(metric.compute(predictions=[[0.9, 0.1], [0.2, 0.8]], references=[0, 1])["pair_f1"])
    """
    process = python(code, tmp_path)
    process.wait(120)
    assert process.stdout.strip() == "1.0", process.stderr


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path):
    code = """
        import json, os, sys
        import numpy as np
        import iemomecp_dataset.metrics, evaluate
        rank = int(os.environ["RANK"])
        metric = evaluate.load(
            "iemomecp_pair_f1", "3class", num_process=2, process_id=rank,
            experiment_id="two", cache_dir=os.environ["SHARED"],
        )
        p = np.random.default_rng(0).dirichlet([1, 1, 1], 60)
        y = np.random.default_rng(1).integers(0, 3, 60)
        part = slice(0, 31) if rank == 0 else slice(31, 60)
        metric.add_batch(predictions=p[part], references=y[part])
        print(json.dumps(metric.compute()))
    """
    shared = str(tmp_path / "shared")
    processes = [python(code, tmp_path, RANK=str(rank), SHARED=shared) for rank in (0, 1)]
    assert [process.wait(120) for process in processes] == [0, 0], [process.stderr for process in processes]
    assert json.loads(processes[1].stdout) is None
    assert json.loads(processes[0].stdout) == pair_scores(PROBABILITIES, LABELS, ROLE_LABELS)


@pytest.mark.slow
def test_space_app_starts_the_widget_and_computes(repository, tmp_path):
    # gradio itself is not a dependency: this imitates its interface and calls back as a visitor would.
    (tmp_path / "gradio.py").write_text(
        textwrap.dedent(
            """
            import types
            import pandas as pd

            inputs = types.SimpleNamespace(Dataframe=lambda **options: options)
            outputs = types.SimpleNamespace(Textbox=lambda **options: options)

            class Interface:
                def __init__(self, fn, inputs, article, **options):
                    self.fn, self.headers, self.article = fn, inputs["headers"], article

                def launch(self):
                    table = pd.DataFrame([["[0.7, 0.2, 0.1]", 0], ["[0.1, 0.1, 0.8]", 2]], columns=list(self.headers))
                    assert self.article.lstrip().startswith("# Metric card"), self.article[:80]
                    print(self.fn(table)["pair_f1"])
            """
        )
    )
    app = repository / "metrics" / "iemomecp_pair_f1" / "app.py"
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    done = forked_python.run(app, cwd=tmp_path, env=environment)
    assert done.stdout.strip() == "1.0", done.stderr


def test_card_examples_give_what_they_show(repository):
    card = repository / "metrics" / "iemomecp_pair_f1" / "README.md"
    results = doctest.testfile(str(card), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0
    assert results.attempted >= 10


def test_example_in_the_description_gives_what_it_shows(load):
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    examples = parser.get_doctest(load().inputs_description, {}, "inputs_description", None, 0)
    assert len(examples.examples) >= 4
    assert runner.run(examples).failed == 0


def test_card_names_every_key_and_option(repository, load):
    card = (repository / "metrics" / "iemomecp_pair_f1" / "README.md").read_text(encoding="utf-8")
    result = load().compute(predictions=PROBABILITIES, references=LABELS)
    for key in result:
        name = key
        for role in ROLE_LABELS:
            name = f"<class>_{name.removeprefix(role + '_')}" if name.startswith(f"{role}_") else name
        assert name in card, name
    for option in ("threshold", "missed_positives", "dialogue_ids", "target_turns", "cause_turns", "emotional_targets"):
        assert f"`{option}`" in card
