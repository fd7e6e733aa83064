"""Tables, comparisons and the page of runs that explain emotions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from explanation_cases import explanation_corpus, write_explanation_run

from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.comparison import compare_emotions, compare_explanations
from iemomecp_dataset.benchmark.emotion_board import emotion_boards
from iemomecp_dataset.benchmark.explanation_board import cause_ablations, explanation_boards
from iemomecp_dataset.benchmark.report.explanations.section import build_explanation_section
from iemomecp_dataset.benchmark.report.page import render_report
from iemomecp_dataset.benchmark.report.section import Texts
from iemomecp_dataset.benchmark.results_table import results_table
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.errors import UsageError


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gold marks, shuffled ones with two seeds, and none."""
    folder = tmp_path_factory.mktemp("explanations")
    write_explanation_run(folder / "gold", lambda text: text.replace("came", "fell"), causes="gold")
    for seed in (1, 2):
        write_explanation_run(folder / f"shuffled_{seed}", lambda text: text[:-14], causes="shuffled", seed=seed)
    write_explanation_run(folder / "none", lambda _: "The reason why she is glad is that it rains.", causes="none")
    return folder


def test_explanations_have_a_table_of_their_own(runs: Path) -> None:
    index = index_runs(runs)
    assert leaderboard(index.runs) == []
    assert emotion_boards(index.runs) == []
    (board,) = explanation_boards(index.runs)
    scores = [row.score("test", "content_cider") for row in board.trained]
    assert [row.seeds for row in board.trained][1:] == [(1, 2), (1,)]
    assert [score.mean for score in scores if score] == sorted(score.mean for score in scores if score)
    assert {row.key for row in board.structural} >= {"frame", "medoid", "random", "retrieval", "frame_gold_cause"}


def test_runs_on_other_references_stand_in_another_table(runs: Path) -> None:
    index = index_runs(runs)
    first = index.runs[0].results
    text = first.extra["signatures"]["test"].replace("|n:8|", "|n:7|")
    other = replace(first, run_name="other", extra={**first.extra, "signatures": {"test": text}})
    assert len(explanation_boards([first, other])) == 2


def test_the_printed_table_begins_with_content_cider_in_its_own_unit(runs: Path) -> None:
    text = results_table(index_runs(runs).runs)
    (heading,) = [line for line in text.splitlines() if line.startswith("system")]
    assert heading.split("  ")[1:]
    assert heading.index("content CIDEr") < heading.index("BLEU-4")
    assert "8 explanations" in text
    assert "No published numbers" in text
    assert "±" in text
    (medoid,) = [line for line in text.splitlines() if line.startswith("* medoid")]
    assert float(medoid.removesuffix("-").split()[-1]) > 10  # sacreBLEU is in percent already


def test_the_ablation_lists_systems_that_differ_in_marks_alone(runs: Path) -> None:
    (board,) = explanation_boards(runs)
    (ablation,) = cause_ablations(board)
    assert [causes for causes, _ in ablation.rows] == ["gold", "shuffled", "none"]
    gold, other = (run.results for run in index_runs(runs).runs[:2])
    (apart,) = explanation_boards([gold, replace(other, settings={**other.settings, "lora_rank": 4}, run_name="x")])
    assert cause_ablations(apart) == []


def test_systems_are_compared_over_dialogues(runs: Path) -> None:
    (board,) = explanation_boards(runs)
    found = compare_explanations(board, n_resamples=50)
    assert found is not None
    assert found.n_units == 8
    best = next(one for one in found.comparisons if one.metric == "content_cider")
    assert "gold" in best.first
    assert best.difference.estimate > 0
    with pytest.raises(UsageError, match="of the task explanation"):
        compare_emotions(board)


def test_the_page_shows_tables_figures_and_examples(runs: Path) -> None:
    page = render_report(index_runs(runs), n_resamples=20)
    assert "<h1>Explanations of emotions in conversations</h1>" in page
    assert "No published numbers" in page
    for words in ("Cause marks in the input", "Content against whole texts", "Distribution of scores", "number 3 fell"):
        assert words in page


def test_licensed_examples_are_hidden_unless_texts_are_given(tmp_path: Path) -> None:
    corpus = explanation_corpus(synthetic=False)
    write_explanation_run(tmp_path / "run", str, corpus=corpus)
    (board,) = explanation_boards(tmp_path)
    hidden = build_explanation_section(0, board, None, 0)
    assert hidden.hidden_examples
    assert hidden.examples == []
    assert not hidden.private
    said = {row["dialogue_id"]: [(u["speaker"], u["text"]) for u in row["utterances"]] for row in corpus.rows["test"]}
    shown = build_explanation_section(0, board, Texts(said), 0)
    assert shown.private
    assert len(shown.examples) == 8
    assert shown.examples[0].line == said["test_0"][1]
    of_config = Texts(of_config={"ecem": said, "reccon": {}})
    assert build_explanation_section(0, board, of_config, 0).examples == shown.examples
    assert shown.examples[0].reference == shown.examples[0].predicted[0]
    assert "number 3 came" not in render_report(index_runs(tmp_path), n_resamples=0)
