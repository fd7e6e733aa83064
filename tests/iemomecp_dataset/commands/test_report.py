"""The report's options that say how texts are loaded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from explanation_cases import explanation_corpus, write_explanation_run

from iemomecp_dataset.benchmark import report
from iemomecp_dataset.benchmark.report import Texts
from iemomecp_dataset.commands.report import main
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import MissingDataError, UsageError
from iemomecp_dataset.synthetic import write_ecem

QUICK = ["--no-diagnostics", "--resamples", "0", "--quiet"]


def test_texts_of_ecem_are_read_with_the_files_of_meld_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Texts] = []
    monkeypatch.setattr(report, "write_report", lambda *_, texts, **__: drawn.append(texts) or 0)
    folder, meld = write_ecem(tmp_path / "ecem"), tmp_path / "meld"
    meld.mkdir()
    for path in folder.glob("*.csv"):
        path.rename(meld / path.name)
    corpus = load_corpus("ecem", folder, meld_root=meld)
    corpus = dataclasses.replace(corpus, rows={split: rows[:4] for split, rows in corpus.rows.items()})
    write_explanation_run(tmp_path / "runs" / "one", str.lower, corpus=corpus)
    options = [str(tmp_path / "runs"), *QUICK, "--with-text", "--data-dir", str(folder)]
    with pytest.raises(MissingDataError, match="--meld-root names another folder"):
        main(options)
    main([*options, "--meld-root", str(meld)])
    row = corpus.rows["test"][0]
    assert drawn[0].of("ecem")[row["dialogue_id"]] == [(u["speaker"], u["text"]) for u in row["utterances"]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--meld-root", "m"], "--meld-root concerns the texts of --with-text alone; add that too"),
        (["--status", "all", "--ecf-root", "e"], "--status and --ecf-root concern the texts"),
        (
            ["--with-text", "--data-dir", "d", "--ecf-root", "e", "--ecf-map", "m"],
            "The runs are on reccon, for which --ecf-root and --ecf-map are of no use; leave them out",
        ),
    ],
)
def test_options_of_ecem_without_a_use_are_refused(options: list[str], words: str, tmp_path: Path) -> None:
    corpus = explanation_corpus(name="reccon", config_name="reccon")
    write_explanation_run(tmp_path / "runs" / "one", str.lower, corpus=corpus)
    with pytest.raises(UsageError, match=words):
        main([str(tmp_path / "runs"), "--output", str(tmp_path / "page.html"), *QUICK, *options])
