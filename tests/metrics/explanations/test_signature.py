from __future__ import annotations

import pytest

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics import ExplanationSignature
from iemomecp_dataset.metrics.explanations.signature import (
    explanation_differences,
    explanation_run_signature,
    model_word,
)


def rows(text: str = "It rains.", turn: int = 1) -> list[dict]:
    utterances = [{"turn": k, "speaker": "A", "text": "No!", "emotion": 2} for k in (1, 2)]
    explained = [
        {"target_turn": turn, "text": text, "status": 0, "cause_turns": []},
        {"target_turn": 2, "text": "It stops her", "status": 1, "cause_turns": []},
    ]
    others = {"dialogue_id": "e", "utterances": utterances, "pairs": []}
    return [
        {"dialogue_id": "d", "utterances": utterances, "pairs": [], "explanations": explained},
        others | {"explanations": [{"target_turn": 1, "text": "She won.", "status": 0}]},
    ]


def signature(found=None, **changes) -> ExplanationSignature:
    settings = {"corpus": "ecem", "config_name": "ecem", "split": "test", "causes": "gold"} | changes
    return explanation_run_signature(rows() if found is None else found, **settings)


def test_a_signature_is_read_back_and_states_how_scores_were_made():
    one = signature(bertscore=model_word("roberta-large", 17), epoch_chosen_on="validation", synthetic=True)
    assert ExplanationSignature.parse(str(one)) == one
    text = str(one)
    for part in ("n:2", "tokenizer:ptb", "status:complete", "sacrebleu:", "rouge-score:", "bertscore:roberta-large@17"):
        assert part in text
    assert "causes:gold" in text
    assert "synthetic:yes" in text


def test_order_is_irrelevant_and_references_targets_and_statuses_are_not():
    base = signature()
    assert signature(rows()[::-1]).data == base.data
    for other in (rows("It snows."), rows(turn=2)):
        assert signature(other).data != base.data
    assert signature(statuses=("complete", "truncated")).n_items == 3


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tokenizer": "raw"}, "tokenizer"),
        ({"split": "validation"}, "split"),
        ({"statuses": ("complete", "truncated")}, "status"),
        ({"synthetic": True}, "synthetic"),
        ({"corpus": "ecgf"}, "corpus"),
        ({"epoch_chosen_on": "test"}, "epoch chosen on the scored split"),
    ],
)
def test_what_sets_scores_apart_is_named(changes, named):
    one, other = signature(), signature(**changes)
    assert one.comparison_key != other.comparison_key
    assert any(line.startswith(named) for line in explanation_differences(one, other))


@pytest.mark.parametrize("changes", [{"causes": "shuffled"}, {"bleurt": "tiny"}, {"epoch_chosen_on": "validation"}])
def test_systems_may_differ_in_causes_and_models(changes):
    assert explanation_differences(signature(), signature(**changes)) == []
    assert signature().table_key == signature(**changes).table_key


@pytest.mark.parametrize("damage", [("n:2", "n:two"), ("synthetic:no", "synthetic:maybe"), ("tokenizer:ptb|", "")])
def test_what_is_no_signature_is_refused(damage):
    with pytest.raises(MetricInputError, match="is not a signature"):
        ExplanationSignature.parse(str(signature()).replace(*damage))


def test_a_split_without_explanations_has_no_signature():
    with pytest.raises(MetricInputError, match="at least one explanation"):
        signature([])


def test_folders_are_named_by_their_last_part(tmp_path):
    folder = tmp_path / "my model"
    folder.mkdir()
    assert model_word(str(folder), 6) == "my_model@6"
