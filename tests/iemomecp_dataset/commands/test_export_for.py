"""``export-for``: its options, what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from peer_dialogues_case import peer_corpus

import iemomecp_dataset.commands.export_for
import iemomecp_dataset.corpus
from iemomecp_dataset.benchmark.peers.manifest import read_manifest
from iemomecp_dataset.commands.export_for import main
from iemomecp_dataset.errors import UsageError


@pytest.fixture(name="loaded")
def fixture_loaded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Dialogues in memory in place of a folder; the loader's arguments."""
    held: dict[str, Any] = {"synthetic": False}

    def load(name: str, data_dir: Path, **options: Any) -> Any:
        held["arguments"] = (name, data_dir, options)
        return peer_corpus(name, synthetic=held["synthetic"])

    monkeypatch.setattr(iemomecp_dataset.corpus, "load_corpus", load)
    return held


def export(folder: Path, peer: str, *options: str) -> None:
    main([peer, "--data-dir", "x", "--output-dir", str(folder), "--config-name", "ecf", *options])


def test_every_count_and_note_is_said(
    loaded: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(tmp_path, "mecpe", "--seed", "7")
    said = capsys.readouterr().out
    manifest = read_manifest(tmp_path)
    for split, counts in manifest.counts.items():
        line = next(line for line in said.splitlines() if line.startswith(f"{split}: "))
        assert line == f"{split}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}"
    assert [f"note: {note}" for note in manifest.notes] == [
        line for line in said.splitlines() if line.startswith("note: ")
    ]
    assert any("RANDOM vectors of seed 7" in note for note in manifest.notes)
    assert said.splitlines()[-1] == (
        "The files hold utterances of ecf: its terms hold for them, too. Keep them to yourself."
    )
    loaded["synthetic"] = True
    export(tmp_path, "mecpe")
    assert "SYNTHETIC" in capsys.readouterr().out.splitlines()[-1]


def test_renamed_emotions_and_uncounted_word_pieces_are_said(
    loaded: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(tmp_path, "m3hg")
    said = capsys.readouterr().out
    assert "emotions: neutral is Neutral, joy is Happy" in said
    assert "note: word pieces were not counted: give --bert FOLDER" in said
    export(tmp_path, "hilo", "--hilo-emotions", "binary")
    said = capsys.readouterr().out
    assert "emotions:" not in said
    assert "note: HiLo was set to two emotions" in said


def test_options_reach_the_loader_and_the_export(loaded: dict[str, Any], tmp_path: Path) -> None:
    export(tmp_path, "m3hg-json", "--candidates", "past", "--positive", "pair")
    name, folder, options = loaded["arguments"]
    assert (name, folder) == ("ecf", Path("x"))
    assert (options["candidates"], options["forward_pairs"], options["for_training"]) == ("past", None, False)


@pytest.mark.parametrize(("taken", "asked"), [(["data_dir", "annotations"], True), (["data_dir"], None)])
def test_what_files_state_beside_the_rows_is_asked_for_where_the_loader_has_it(
    loaded: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[str], asked: bool | None
) -> None:
    monkeypatch.setattr(iemomecp_dataset.commands.export_for, "options_taken", lambda name: taken)
    export(tmp_path, "m3hg-json")
    assert loaded["arguments"][2].get("annotations") is asked


@pytest.mark.parametrize(
    ("peer", "options", "message"),
    [
        ("semeval", ["--glove", "g.txt"], "--glove is for mecpe, not for semeval"),
        ("hilo", ["--seed", "1"], "--seed is for mecpe, not for hilo"),
        ("hilo", ["--predictions", "p.csv"], "--predictions is for semeval, not for hilo"),
        ("mecpe", ["--bert", "b"], "--bert is for hilo and m3hg, not for mecpe"),
        ("mecpe", ["--hilo-emotions", "binary"], "--hilo-emotions is for hilo, not for mecpe"),
        ("m3hg-json", ["--audio", "a"], "--audio is for hilo and mecpe and m3hg|--audio is for hilo and mecpe"),
        ("m3hg", ["--audio", "a"], "audio and video never reach the model"),
        ("hilo", ["--audio-width", "3"], "--audio-width checks the features of --audio; give both, or neither"),
        ("hilo", ["--positive", "emo_cause"], "ecf has no class 'emo_cause' to export"),
        ("bridge", [], "hilo, m3hg, mecpe, semeval, m3hg-json"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    loaded: dict[str, Any], tmp_path: Path, peer: str, options: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        export(tmp_path, peer, *options)
    assert not list(tmp_path.rglob("manifest.json"))
