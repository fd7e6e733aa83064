"""The run folder: scores, predictions, and everything that an answer cost and how it was read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.benchmark.runs.emotion_results import emotion_run_results, write_emotion_run_predictions
from iemomecp_dataset.benchmark.runs.explanation_results import (
    explanation_run_results,
    write_explanation_run_predictions,
)
from iemomecp_dataset.benchmark.runs.results import (
    EXTERNAL,
    Decision,
    RunResults,
    run_results,
    write_results,
    write_run_predictions,
)
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.files import make_folder, write_text
from iemomecp_dataset.metrics.evaluation.free_pairs import OTHER_EMOTION
from iemomecp_dataset.metrics.evaluation.gold import gold_split
from iemomecp_dataset.metrics.scoring import decide
from iemomecp_dataset.metrics.set_scores import pair_set, set_scores
from iemomecp_dataset.trainers.language_model.answering import Answer
from iemomecp_dataset.trainers.language_model.answers import BY_SCHEMA, Ladder, Reading
from iemomecp_dataset.trainers.language_model.asking import Asking, Request
from iemomecp_dataset.trainers.language_model.licence import Route
from iemomecp_dataset.trainers.language_model.options import LanguageModelOptions
from iemomecp_dataset.trainers.language_model.predictions import (
    LabelFacts,
    PairPredictions,
    emotion_predictions,
    explanation_predictions,
    pair_decisions,
    pair_probabilities,
    threshold_on,
)
from iemomecp_dataset.trainers.language_model.sending import Prices, Sender, Usage, cost_words
from iemomecp_dataset.trainers.language_model.shots import Shots
from iemomecp_dataset.trainers.provenance import code_revision, library_versions, peak_memory_mb

__all__ = ["ANSWERS_FILE", "PROMPT_FILE", "AnsweredSplit", "settings_of", "with_cost", "write_run"]

ANSWERS_FILE = "answers.jsonl"
PROMPT_FILE = "prompt.yaml"

_CONTAMINATION = (
    "A language model may have seen this test set: its texts, or its labels, may be among what it was trained on."
)
_NOT_SEEN = "The corpus is synthetic, so no language model has seen it."


@dataclass
class AnsweredSplit:
    """A split with its answers.

    Attributes:
        requests: The requests.
        answers: Their answers; None where there is none.
        readings: How they were read: the second answer where the first was unusable and the second is not.
        ladder: Counts of the first answers.
        again: Counts of the second ones.
        window: What a window left out.
        verified: Counts of the answers of a second look at proposed targets.
        pairs_left_out: Pairs that the second look left out.
        unanswered: Requests of any kind without an answer.
        other_roles: Pairs that the second look gives another role, which they do not get.
        n_predicted: Pairs that are predicted by their probabilities; 0 until they are decided.
    """

    requests: Sequence[Request]
    answers: Sequence[Answer | None]
    readings: Sequence[Reading]
    ladder: Ladder = field(default_factory=Ladder)
    again: Ladder = field(default_factory=Ladder)
    window: Mapping[str, int] = field(default_factory=dict)
    verified: Ladder = field(default_factory=Ladder)
    pairs_left_out: int = 0
    unanswered: int = 0
    other_roles: int = 0
    n_predicted: int = 0

    @property
    def by_dialogue(self) -> dict[str, list[Reading]]:
        """The readings of each dialogue."""
        found: dict[str, list[Reading]] = {}
        for request, reading in zip(self.requests, self.readings, strict=True):
            found.setdefault(request.dialogue_id, []).append(reading)
        return found


def settings_of(options: LanguageModelOptions, identity: Mapping[str, str], prompt_version: str) -> dict[str, Any]:
    """What makes another system: everything that changes a request, and how it is answered.

    Args:
        options: The options.
        identity: Backend, model and revision.
        prompt_version: Hash of the templates.
    """
    names = (
        "ask",
        "shots",
        "window",
        "base_rates",
        "ask_again",
        "verify",
        "structured",
        "max_new_tokens",
        "decisions_only",
    )
    shots = ("shot_choice", "shot_encoder") if options.shots else ()
    return {
        **{f"model_{name}" if name == "revision" else name: value for name, value in identity.items()},
        "prompt": prompt_version,
        **{name: getattr(options, name) for name in (*names, *shots)},
    }


def write_run(
    folder: Path,
    corpus: Corpus,
    asking: Asking,
    options: LanguageModelOptions,
    answered: Mapping[str, AnsweredSplit],
    *,
    sender: Sender,
    usage: Usage,
    shots: Shots,
    route: Route,
    device: str,
    wall_seconds: float,
    shows_texts: bool = False,
) -> RunResults:
    """Scores what was answered, and writes the run folder.

    Args:
        folder: The folder.
        corpus: The data, limited where the run is.
        asking: What was asked.
        options: The options.
        answered: By split the answers.
        sender: What was sent.
        usage: Counts over all answers.
        shots: The shots.
        route: Where the text went.
        device: Kind of device of a model in this process.
        wall_seconds: Duration of this start of the run.
        shows_texts: Whether answers, which may quote the corpus, may stand in the folder.

    Returns:
        The record, as written.
    """
    identity = sender.backend.identity
    labels = {split: LabelFacts() for split in answered}
    facts: dict[str, Any] = {
        "language_model": {
            "model": options.model,
            "identity": dict(identity),
            "endpoint_host": route.endpoint or None,
            "proxy_host": route.proxy or None,
            "ray_cluster": route.cluster or None,
            "text_may_go_to": options.text_may_go_to,
            "served": usage.served_names,
            "answers_by_endpoint": dict(usage.endpoints),
            "task": asking.task,
            "ask": asking.ask,
            "shots": {
                "number": options.shots,
                **shots.as_record(),
                "left_out": usage.shots_left_out,
                "gold_left_out": sum(asking.gold_left_out(shot) for shot in shots.chosen),
            },
            "prompt": {"source": asking.prompt.source, "version": asking.prompt.version, "system": asking.system},
            "limit": options.limit,
            "contamination": _NOT_SEEN if corpus.synthetic else _CONTAMINATION,
            "usage": _usage_record(usage, sender),
            "notes": list(sender.notes),
        }
    }
    stated = {
        "run_name": folder.name,
        "scorer": EXTERNAL,
        "objective": options.row_name,
        "modalities": "t",
        "seed": options.seed,
        "settings": settings_of(options, identity, asking.prompt.version),
        "versions": library_versions(),
        "git_revision": code_revision(),
        "wall_seconds": wall_seconds,
        "peak_memory_mb": peak_memory_mb(),
        "device": device,
        "extra": facts,
    }
    make_folder(folder)
    # The first file: it tells a folder of ours that a kill has left unfinished.
    write_text(folder / PROMPT_FILE, asking.prompt.text)
    if asking.task == "emotions":
        record = _emotions(folder, corpus, answered, stated, facts)
    elif asking.task == "explanations":
        record = _explanations(folder, corpus, answered, stated)
    else:
        record = _pairs(folder, corpus, asking, answered, labels, stated, facts)
    about = facts["language_model"]
    about["reading"] = {split: _reading_record(found, labels[split], asking) for split, found in answered.items()}
    facts["remarks"] = [_remark(options, answered, about)]
    # The record's own keys are those of what was scored; these are added once they are known.
    record = replace(record, extra={**record.extra, **facts})
    _write_answers(folder, answered, shows_texts)
    write_results(folder, record)
    return record


def _pairs(
    folder: Path,
    corpus: Corpus,
    asking: Asking,
    answered: Mapping[str, AnsweredSplit],
    labels: Mapping[str, LabelFacts],
    stated: Mapping[str, Any],
    facts: dict[str, Any],
) -> RunResults:
    predicted: dict[str, PairPredictions] = {}
    for split, found in answered.items():
        if asking.ask == "pair":
            predicted[split] = pair_probabilities(corpus, split, found.requests, found.answers, labels[split])
        else:
            predicted[split] = pair_decisions(corpus, split, found.by_dialogue, roles=asking.task == "roles")
    ranked = all(one.values.ndim == 2 for one in predicted.values())
    if not ranked:
        predicted = {split: _decided(one) for split, one in predicted.items()}
    decision = Decision(None, None if ranked else "system")
    if ranked and "validation" in predicted:
        decision = Decision(threshold_on(corpus, "validation", predicted["validation"]), "validation")
    if asking.ask == "pair":
        for split, found in answered.items():
            values = predicted[split].values
            decided = decide(values.astype(np.float64), decision.threshold) if ranked else values
            found.n_predicted = int((decided == 0).sum())
    triples = _triples(corpus, predicted) if asking.ask != "pair" else {}
    record = run_results(
        corpus,
        {split: one.values for split, one in predicted.items()},
        decision,
        **{**stated, "extra": {**facts, **({"triples": triples} if triples else {})}},
    )
    about = facts["language_model"]
    about["with_turns_that_do_not_exist_as_wrong_pairs"] = {
        split: _with_wrong(record.metrics[split], record.counts[split]["gold_pairs"], of_split)
        for split, of_split in answered.items()
    }
    for split, one in predicted.items():
        certain = np.asarray(one.values if ranked else np.eye(len(corpus.class_names))[one.values], dtype=np.float64)
        write_run_predictions(
            folder,
            corpus,
            split,
            certain,
            decision,
            emotions=one.emotions,
            run_name=folder.name,
            decisions_alone=not ranked,
        )
    return record


def _decided(one: PairPredictions) -> PairPredictions:
    """Decisions, where another split has none better."""
    values = one.values if one.values.ndim == 1 else one.values.argmax(axis=1).astype(np.int64)
    return PairPredictions(values, one.asked, one.emotions)


def _triples(corpus: Corpus, predicted: Mapping[str, PairPredictions]) -> dict[str, dict[str, Any]]:
    """Scores of definitions C and D by split; a pair whose emotion is outside the list is wrong there."""
    found = {}
    for split, one in predicted.items():
        gold = gold_split(corpus, split)
        if one.emotions is None or gold.pairs.emotions is None:
            continue
        chosen = one.values == 0
        emotions = np.where(one.emotions == "", OTHER_EMOTION, one.emotions)[chosen]
        dialogues, targets, causes = corpus.tables[split].keys
        pairs = pair_set(dialogues[chosen], targets[chosen], causes[chosen], emotions)
        names = gold.scored_emotions
        names = (*names, OTHER_EMOTION) if OTHER_EMOTION in emotions and OTHER_EMOTION not in names else names
        found[split] = {
            letter: set_scores(pairs, gold.pairs, definition=letter, emotions=names) for letter in ("C", "D")
        }
    return found


def _with_wrong(scores: Mapping[str, Any], n_gold: int, answered: AnsweredSplit) -> dict[str, Any]:
    """Precision and F1 if the listed pairs of turns that do not exist count as wrong predictions."""
    # A set of pairs, as what is scored is; context is no pair of these scores.
    wrong = len(
        {
            (dialogue, target, cause)
            for dialogue, of_dialogue in answered.by_dialogue.items()
            for reading in of_dialogue
            for target, cause, role in reading.nowhere
            if role == "causes"
        }
    )
    precision, recall = float(scores["pair_precision"]), float(scores["pair_recall"])
    # Nothing is correct where precision is 0; without gold nothing can be, and recall may be NaN.
    n_correct = round(recall * n_gold) if precision > 0 else 0
    n_predicted = n_correct / precision + wrong if n_correct else 0
    return {
        "pairs": wrong,
        "pair_precision": n_correct / n_predicted if n_correct else 0.0,
        "pair_f1": 2 * n_correct / (n_predicted + n_gold) if n_correct else 0.0,
    }


def _emotions(
    folder: Path,
    corpus: Corpus,
    answered: Mapping[str, AnsweredSplit],
    stated: Mapping[str, Any],
    facts: dict[str, Any],
) -> RunResults:
    predicted = {}
    for split, found in answered.items():
        predicted[split], without = emotion_predictions(corpus, split, found.by_dialogue)
        facts["language_model"].setdefault("utterances_without_an_emotion", {})[split] = without
    record = emotion_run_results(corpus, predicted, **stated)
    for split, one in predicted.items():
        certain = np.eye(len(corpus.emotion_names))[one]
        write_emotion_run_predictions(folder, corpus, split, certain, run_name=folder.name, decisions_alone=True)
    return record


def _explanations(
    folder: Path, corpus: Corpus, answered: Mapping[str, AnsweredSplit], stated: Mapping[str, Any]
) -> RunResults:
    predicted = {
        split: explanation_predictions(corpus, split, found.requests, found.readings)
        for split, found in answered.items()
    }
    record = explanation_run_results(corpus, predicted, causes="none", **stated)
    for split, texts in predicted.items():
        write_explanation_run_predictions(folder, corpus, split, texts, run_name=folder.name, causes="none")
    return record


def _usage_record(usage: Usage, sender: Sender) -> dict[str, Any]:
    latencies = np.array(usage.latencies or [np.nan])
    return {
        "answers": usage.answers,
        "sent_by_this_start": sender.attempts,
        "answered_in_this_start": sender.sent,
        "cache_hits_of_this_start": sender.hits,
        "without_an_answer": dict(sender.failures),
        "prompt_tokens": usage.prompt_tokens,
        "cached_prompt_tokens": usage.cached_tokens,
        "completion_tokens": usage.completion_tokens,
        "retries": usage.retries,
        "structures": dict(usage.structures),
        "latency_p50": float(np.percentile(latencies, 50)),
        "latency_p95": float(np.percentile(latencies, 95)),
        "seconds_of_sending": sender.seconds,
        # What is paid for attempts that a time-out or an error of the server has ended is told by nobody.
        "attempts_without_an_answer": sender.attempts - sender.sent,
        "tokens_of_failures": [sender.lost.prompt_tokens, sender.lost.completion_tokens],
        "cost": sender.cost(usage),
    }


def _reading_record(found: AnsweredSplit, labels: LabelFacts, asking: Asking) -> dict[str, Any]:
    return {
        **found.ladder.as_record(),
        # The pairs kept of first and second answers, less those that a second look leaves out.
        "pairs_predicted": found.n_predicted or sum(reading.n_kept for reading in found.readings),
        "asked_again": found.again.as_record() if found.again.answers else None,
        "second_look": {
            **found.verified.as_record(),
            "pairs_left_out": found.pairs_left_out,
            "pairs_of_another_role": found.other_roles,
        }
        if found.verified.answers
        else None,
        **(labels.as_record() if asking.ask == "pair" else {}),
        **found.window,
    }


def _remark(options: LanguageModelOptions, answered: Mapping[str, AnsweredSplit], about: Mapping[str, Any]) -> str:
    """The sentence beside the row in tables and reports."""
    shares = {
        split: f"{100 * found.ladder.steps[BY_SCHEMA] / found.ladder.answers:.1f} % on {split}"
        for split, found in answered.items()
        if found.ladder.answers
    }
    cost = about["usage"]["cost"]
    parts = [
        f"language model, {options.shots} {'shot' if options.shots == 1 else 'shots'}, asked by {options.ask}"
        + (", with a second look" if options.verify else ""),
        f"first answers {BY_SCHEMA} {', '.join(shares.values())}",
        f"{about['usage']['answers']} answers, {about['usage']['prompt_tokens'] + about['usage']['completion_tokens']} "
        + _tokens_and_cost(cost),
    ]
    limited = f" ONLY THE FIRST {options.limit} DIALOGUES of each split (--limit)." if options.limit else ""
    return f"{'; '.join(parts)}.{limited} {about['contamination']}"


def _tokens_and_cost(cost: float | None) -> str:
    return "tokens" + ("" if cost is None else f", cost {cost_words(cost)}")


def with_cost(record: RunResults, prices: Prices) -> RunResults:
    """A finished run with its cost.

    Args:
        record: Its record.
        prices: Prices; without them, or in a record that tells no tokens, nothing changes.
    """
    about = record.extra.get("language_model", {})
    told = about.get("usage", {}) if isinstance(about, dict) else {}
    lost = told.get("tokens_of_failures", [0, 0])
    names = ("prompt_tokens", "completion_tokens")
    try:
        cost = prices.cost(Usage(**{name: told[name] + more for name, more in zip(names, lost, strict=True)}))
    except (KeyError, TypeError, ValueError):
        return record
    if cost is None or cost == told.get("cost"):
        return record
    before, now = _tokens_and_cost(told.get("cost")), _tokens_and_cost(cost)
    remarks = [str(remark).replace(f" {before}.", f" {now}.", 1) for remark in record.extra.get("remarks", [])]
    facts = {**about, "usage": {**told, "cost": cost}}
    return replace(record, extra={**record.extra, "language_model": facts, "remarks": remarks})


def _write_answers(folder: Path, answered: Mapping[str, AnsweredSplit], shows_texts: bool) -> None:
    """Writes how each answer was read; its text only where texts may be shown."""
    lines = []
    for found in answered.values():
        for request, answer, reading in zip(found.requests, found.answers, found.readings, strict=True):
            line: dict[str, Any] = {
                "split": request.split,
                "dialogue_id": request.dialogue_id,
                "target_turn": request.target,
                "cause_turn": request.cause,
                "step": reading.step,
                "ending": reading.ending,
                "pairs": [[pair.target, pair.cause, pair.role] for pair in reading.pairs],
                "refused": dict(reading.refused),
                "finish_reason": None if answer is None else answer.finish_reason,
                "tokens": None if answer is None else [answer.prompt_tokens, answer.completion_tokens],
            }
            if shows_texts and answer is not None:
                line["text"] = answer.text
            lines.append(json.dumps(line, ensure_ascii=False))
    write_text(folder / ANSWERS_FILE, "".join(f"{line}\n" for line in lines))
