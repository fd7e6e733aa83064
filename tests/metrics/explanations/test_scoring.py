from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from explanation_reference import PREDICTIONS, REFERENCES, slow_bleu, slow_cider, slow_rouge_l

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics import explanation_scores
from iemomecp_dataset.metrics.explanations.scoring import COUNTED_SCORES, EXPLANATION_SCORES, MODEL_SCORES
from iemomecp_dataset.metrics.explanations.tokens import content_tokens, ptb_tokens, raw_tokens

needs_vectors = pytest.mark.skipif(
    "IEMOMECP_EXPLANATION_VECTORS" not in os.environ, reason="IEMOMECP_EXPLANATION_VECTORS names no file of vectors"
)


@pytest.mark.parametrize(("tokenizer", "split"), [("ptb", ptb_tokens), ("raw", raw_tokens)])
def test_scores_of_whole_texts_and_of_content_are_those_of_plain_loops(tokenizer, split):
    found = explanation_scores(PREDICTIONS, REFERENCES, tokenizer=tokenizer, meteor=False)
    whole = [[split(text) for text in texts] for texts in (PREDICTIONS, REFERENCES)]
    content = [[content_tokens(text) for text in texts] for texts in whole]
    for prefix, texts in (("", whole), ("content_", content)):
        orders = slow_bleu(*texts)
        assert found[f"{prefix}bleu_4"] == pytest.approx(orders[3], abs=1e-9)
        assert found[f"{prefix}cider"] == pytest.approx(np.mean(slow_cider(*texts)), abs=1e-9)
        lcs = [slow_rouge_l(*pair) for pair in zip(*texts, strict=True)]
        assert found[f"{prefix}rouge_l"] == pytest.approx(np.mean(lcs), abs=1e-9)
    assert [found[f"bleu_{n}"] for n in (1, 2, 3)] == pytest.approx(slow_bleu(*whole)[:3], abs=1e-9)


def test_keys_are_ordered_and_every_absent_one_has_its_reason():
    found = explanation_scores(PREDICTIONS, REFERENCES, meteor=False)
    assert list(found) == [*EXPLANATION_SCORES[: -len(MODEL_SCORES)], "n_items", "n_empty", "unavailable"]
    assert (found["n_items"], found["n_empty"]) == (6, 1)
    assert list(found["unavailable"]) == list(MODEL_SCORES)
    assert "bertscore_model=" in found["unavailable"]["bertscore_f1"]
    assert "bleurt_model=" in found["unavailable"]["bleurt"]


def test_perfect_and_empty_predictions_bound_every_score():
    best = explanation_scores(REFERENCES[:5], REFERENCES[:5], meteor=False)
    worst = explanation_scores(["", " ", "\n", "", ""], REFERENCES[:5], meteor=False)
    tops = {"cider": 10.0, "content_cider": 10.0, "sacrebleu": 100.0}
    for name in EXPLANATION_SCORES[: -len(MODEL_SCORES)]:
        assert best[name] == pytest.approx(tops.get(name, 1.0), abs=1e-6), name
        assert worst[name] == pytest.approx(0.0, abs=1e-9), name
    assert worst["n_empty"] == 5


def test_the_opening_alone_scores_on_whole_texts_and_nothing_on_content():
    openings = [" ".join(text.split()[: text.split().index("that") + 1]) for text in REFERENCES if " that " in text]
    references = [text for text in REFERENCES if " that " in text]
    found = explanation_scores(openings, references, meteor=False)
    assert found["rouge_l"] > 0.4
    assert [found[name] for name in COUNTED_SCORES if name.startswith("content")] == pytest.approx([0, 0, 0], abs=1e-9)


def test_white_space_of_candidates_is_irrelevant():
    spaced = [text.replace(" ", " \n\t") for text in PREDICTIONS]
    one, other = (explanation_scores(texts, REFERENCES, meteor=False) for texts in (PREDICTIONS, spaced))
    assert one == other


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([], [], "no items"),
        (["a"], ["a", "b"], "found 1 and 2"),
        (["a", None], ["a", "b"], "Item 1 has no prediction"),
        ([float("nan")], ["a"], "Item 0 has no prediction"),
        (["a", "b"], ["a", "  "], "Item 1 has an empty reference"),
        (["a"], [None], "Item 0 has an empty reference"),
        (["a"], [["b", "c"]], "Item 0 has a list as its reference, .*: each item is scored against one reference"),
        (["a", "it \ud83d"], ["a", "b"], r"Item 1, prediction: .* lone surrogate U\+D83D at character 3"),
        (["a"], ["\udc00"], "Item 0, reference: .* lone surrogate"),
        ("ab", ["a", "b"], "list of texts"),
    ],
)
def test_what_cannot_be_scored_is_one_clear_error(predictions, references, message):
    with pytest.raises(MetricInputError, match=message):
        explanation_scores(predictions, references, meteor=False)


@needs_vectors
@pytest.mark.parametrize(("tokenizer", "key"), [("ptb", "coco_ptb"), ("raw", "coco_raw_whitespace")])
def test_public_vectors(tokenizer, key):
    vectors = json.loads(Path(os.environ["IEMOMECP_EXPLANATION_VECTORS"]).read_text(encoding="utf-8"))
    predictions, references = ([pair[side] for pair in vectors["pairs"]] for side in ("candidate", "reference"))
    found, values = explanation_scores(predictions, references, tokenizer=tokenizer, meteor=False), vectors["values"]
    expected = {f"bleu_{n + 1}": values[key]["bleu"][n] for n in range(4)}
    expected |= {name: values[key][name] for name in ("rouge_l", "cider")}
    if tokenizer == "ptb":
        content, rouge = values["content_v1"], values["rouge_score"]["plain"]
        expected |= {f"content_{name}": content[name] for name in ("rouge_l", "cider")}
        expected |= {"content_bleu_4": content["bleu"][3], "sacrebleu": values["sacrebleu"]["default"]["score"]}
        expected |= {f"rouge_{n.lower()}_f": rouge[f"rouge{n}"]["mean_f"] for n in "12L"}
        assert [" ".join(ptb_tokens(text)) for text in predictions] == values["ptb_tokens"]["candidates"]
        assert [" ".join(ptb_tokens(text)) for text in references] == values["ptb_tokens"]["references"]
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-5), name
