"""Word pieces are counted where an encoder is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from peer_dialogues_case import SPLITS, peer_corpus

from iemomecp_dataset.benchmark.peers.exports.exporting import export_for
from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest
from iemomecp_dataset.errors import MissingModelError


@pytest.fixture(name="bert")
def fixture_bert(tmp_path: Path) -> Path:
    """A vocabulary in which ``rain`` is one word piece and ``rains`` two; any other word is unknown, which is one."""
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nrain\n##s\n")
    return folder


def test_long_utterances_and_dialogues_are_counted(bert: Path, tmp_path: Path) -> None:
    # 35, 36 and 36 word pieces; then 15 * 34 = 510 and 15 * 36 = 540, of which HiLo reads 525.
    texts = ["rain " * 35, "rain " * 36, "rains " * 18]
    rain = [("7", [("Ada", "joy", text) for text in texts], [(1, 1)])]
    long = [(name, [("Ada", "joy", "rain " * n)] * 15, [(1, 1)]) for name, n in (("8", 34), ("11", 36))]
    corpus = peer_corpus(splits=SPLITS | {"test": rain + long})
    hilo = export_for(corpus, ExportRequest("hilo", tmp_path / "hilo", bert=bert)).manifest.counts["test"]
    assert hilo["utterances of more than 35 word pieces"] == 2 + 15
    assert hilo["dialogues of more than 512 word pieces"] == 1
    m3hg = export_for(corpus, ExportRequest("m3hg", tmp_path / "m3hg", bert=bert)).manifest.counts["test"]
    assert m3hg["dialogues of more than 512 word pieces"] == 1
    assert not any("35 word pieces" in kind for kind in m3hg)
    assert "(they are counted in the table above)" in (tmp_path / "hilo" / "HOWTO.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "n_long"), [("{}", 1), ('{"do_lower_case": true}', 1), ('{"do_lower_case": false}', 0)]
)
def test_case_is_that_of_the_encoder(bert: Path, tmp_path: Path, settings: str, n_long: int) -> None:
    # In lower case every word is two word pieces, and in its own one that is unknown.
    (bert / "tokenizer_config.json").write_text(settings)
    corpus = peer_corpus(splits=SPLITS | {"test": [("7", [("Ada", "joy", "Rains " * 18)], [(1, 1)])]})
    counts = export_for(corpus, ExportRequest("hilo", tmp_path / "out", bert=bert)).manifest.counts["test"]
    assert counts.get("utterances of more than 35 word pieces", 0) == n_long


def test_a_folder_without_a_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match=r"none \(--bert\) has no vocab\.txt"):
        export_for(peer_corpus(), ExportRequest("hilo", tmp_path / "out", bert=tmp_path / "none"))
