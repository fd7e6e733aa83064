from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from explanation_reference import PREDICTIONS, REFERENCES

from iemomecp_dataset.errors import MetricInputError, MissingModelError
from iemomecp_dataset.metrics.explanations.learned import bertscore_items, bertscore_word, bleurt_items
from iemomecp_dataset.metrics.explanations.scoring import explanation_scores
from iemomecp_dataset.metrics.explanations.tokens import ptb_tokens

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, str]:
    """A BERT of random weights as an encoder, as a classifier with one output, and with two."""
    root = tmp_path_factory.mktemp("models")
    words = sorted({word for text in (*PREDICTIONS, *REFERENCES) for word in ptb_tokens(text)} | set(".,;()'"))
    vocabulary = root / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]), encoding="utf-8")
    tokenizer = transformers.BertTokenizer(str(vocabulary))
    made = {}
    sizes = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}
    for name, n_labels in (("encoder", 0), ("one", 1), ("two", 2)):
        torch.manual_seed(0)
        config = transformers.BertConfig(vocab_size=len(words) + 5, **sizes, num_labels=max(1, n_labels))
        kind = transformers.BertForSequenceClassification if n_labels else transformers.BertModel
        kind(config).save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
        made[name] = str(root / name)
    return made


def slow_bertscore(folder: str, layer: int) -> list[float]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()

    def states(text: str) -> np.ndarray:
        with torch.inference_mode():
            out = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states[layer][0]
        return (out / out.norm(dim=-1, keepdim=True)).numpy()

    scores = []
    for text, reference in zip(PREDICTIONS, REFERENCES, strict=True):
        cosine = states(text) @ states(reference).T  # with the markers, the first and the last
        if not text:
            scores.append(0.0)
            continue
        p, r = cosine.max(axis=1)[1:-1].mean(), cosine.max(axis=0)[1:-1].mean()
        scores.append(2 * p * r / (p + r))
    return scores


@pytest.mark.parametrize(("layer", "chosen"), [(None, 3), (1, 1)])
def test_bertscore_is_that_of_plain_loops_whatever_the_batches(folders, layer, chosen):
    expected = slow_bertscore(folders["encoder"], chosen)
    for batch_size in (1, 4):
        found = bertscore_items(PREDICTIONS, REFERENCES, folders["encoder"], layer=layer, batch_size=batch_size)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found[PREDICTIONS.index("")] == 0


def test_the_signature_names_the_layer_that_is_taken(folders, tmp_path):
    assert bertscore_word(folders["encoder"]) == "encoder@3"
    assert bertscore_word(folders["encoder"], 1) == "encoder@1"
    published = tmp_path / "roberta-large"
    published.mkdir()
    (published / "config.json").write_text('{"n_layers": 24}', encoding="utf-8")
    assert bertscore_word(str(published)) == "roberta-large@17"
    assert (bertscore_word("not/here"), bertscore_word(None)) == ("not/here", "none")


def test_texts_that_are_longer_than_the_model_reads_are_counted(folders, caplog):
    bertscore_items(["a b"], ["a"], folders["encoder"])
    assert "are longer" not in caplog.text
    bertscore_items(["a " * 600, "b"], ["a", "b"], folders["encoder"])
    assert "1 of 4 inputs" in caplog.text
    assert "512 tokens" in caplog.text


def test_bleurt_is_the_output_for_reference_and_candidate_in_this_order(folders):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders["one"])
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folders["one"]).eval()
    with torch.inference_mode():
        expected = [
            float(model(**tokenizer(reference, text, return_tensors="pt")).logits[0, 0])
            for text, reference in zip(PREDICTIONS, REFERENCES, strict=True)
        ]
    expected[PREDICTIONS.index("")] = min(0.0, expected[PREDICTIONS.index("")])
    found = bleurt_items(PREDICTIONS, REFERENCES, folders["one"], batch_size=4)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_models_that_are_named_add_their_keys_and_leave_unavailable(folders):
    found = explanation_scores(
        PREDICTIONS, REFERENCES, bertscore_model=folders["encoder"], bleurt_model=folders["one"], meteor=False
    )
    assert found["bertscore_f1"] == pytest.approx(np.mean(slow_bertscore(folders["encoder"], 3)), abs=1e-5)
    assert list(found["unavailable"]) == ["meteor"]
    assert isinstance(found["bleurt"], float)


def test_models_that_cannot_be_used_are_errors(folders, tmp_path):
    with pytest.raises(MissingModelError, match="bertscore_model="):
        explanation_scores(["a"], ["a"], bertscore_model=str(tmp_path), meteor=False)
    with pytest.raises(MissingModelError, match="bleurt_model="):
        explanation_scores(["a"], ["a"], bleurt_model=str(tmp_path), meteor=False)
    with pytest.raises(MissingModelError, match="2 outputs"):
        bleurt_items(["a"], ["a"], folders["two"])
    with pytest.raises(MissingModelError, match="lacks the weights classifier"):
        bleurt_items(["a"], ["a"], folders["encoder"])
    with pytest.raises(MetricInputError, match="must be 1 to 3"):
        bertscore_items(["a"], ["a"], folders["encoder"], layer=4)


@pytest.mark.slow
@pytest.mark.skipif(
    not {"IEMOMECP_EXPLANATION_VECTORS", "IEMOMECP_SMALL_ENCODER"} <= set(os.environ),
    reason="IEMOMECP_EXPLANATION_VECTORS and IEMOMECP_SMALL_ENCODER name no vectors and no encoder",
)
def test_public_vectors():
    vectors = json.loads(Path(os.environ["IEMOMECP_EXPLANATION_VECTORS"]).read_text(encoding="utf-8"))
    texts = [[pair[side] for pair in vectors["pairs"]] for side in ("candidate", "reference")]
    found, expected = bertscore_items(*texts, os.environ["IEMOMECP_SMALL_ENCODER"], layer=6), vectors["values"]
    np.testing.assert_allclose(found, expected["bertscore_minilm"]["layer6"]["f1_items"], atol=1e-3)
