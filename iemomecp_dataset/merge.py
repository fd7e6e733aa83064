"""Merges the overlay with ConvECPE and IEMOCAP into rows, and accounts for every disagreement."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from iemomecp_dataset.alignment import Placement, align
from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.loaded import Loaded
from iemomecp_dataset.merge_report import Check, MergeReport
from iemomecp_dataset.options import ForwardPairs, TextSource
from iemomecp_dataset.overlay.chunks import Overlay, OverlayChunk
from iemomecp_dataset.overlay.validation import read_overlay
from iemomecp_dataset.schema import IEMOCAP_EMOTIONS, PAIR_LABELS, ROLE_LABELS, PairRow, Row, UtteranceRow
from iemomecp_dataset.sources.ecpec import Ecpec, SourceDialogue, read_ecpec
from iemomecp_dataset.sources.iemocap_release import (
    IEMOCAP_SOURCE,
    IemocapFiles,
    IemocapUtterance,
    read_evaluation,
    read_transcript,
    session_of,
)

__all__ = ["MergeSources", "merge", "pair_rows", "released_label"]

_LOGGER = logging.getLogger(__name__)
_SHOWN = 5
_PAIR, _NON_PAIR = range(len(PAIR_LABELS))


@dataclass(frozen=True)
class MergeSources:
    """Where the parts lie; ``iemocap`` may be None with ``text_source="ecpec"``."""

    label_dir: Path
    ecpec: Path
    iemocap: IemocapFiles | None
    synthetic: bool = False


def merge(
    sources: MergeSources,
    *,
    config_name: str,
    text_source: TextSource,
    forward_pairs: ForwardPairs,
    max_mismatch: float,
) -> Loaded:
    """Reads all parts and merges them.

    Args:
        sources: The parts.
        config_name: ``3class`` or ``source_binary``.
        text_source: Whose text the utterances get.
        forward_pairs: What ``source_binary`` calls forward source pairs.
        max_mismatch: Largest accepted share of mismatches in any check.

    Returns:
        Rows by split and the merge report.

    Raises:
        IemomecpError: A part breaks its format, the chunks cannot be placed, or the parts disagree on too much.
    """
    overlay = read_overlay(sources.label_dir)
    ecpec = read_ecpec(sources.ecpec)
    placements = align(overlay.chunks, ecpec.dialogues)
    utterances, checks, notes = _utterances(ecpec, sources.iemocap, text_source)
    # Whose text is not asked for may differ; it is reported all the same.
    _enforce([check for check in checks if text_source == "iemocap" or check.name != _CHECKS["text"]], max_mismatch)
    rows = {
        split: [
            _row(
                chunk,
                placements[chunk.dialogue_id],
                ecpec.dialogues[placements[chunk.dialogue_id].dialogue_id],
                utterances,
                config_name=config_name,
                forward_pairs=forward_pairs,
            )
            for chunk in chunks
        ]
        for split, chunks in overlay.chunks.items()
    }
    report = _report(sources, overlay, ecpec, placements, rows, checks, notes)
    for check in checks:
        if check.mismatches:
            _LOGGER.warning(
                "%s: %d of %d utterances differ, such as %s. The merge report has all of them.",
                check.name,
                len(check.mismatches),
                check.compared,
                check.mismatches[0],
            )
    return Loaded(rows=rows, report=report, synthetic=report.synthetic)


# --- utterances ---------------------------------------------------------------------------------------------------

_Utterances = Mapping[str, UtteranceRow]


def _utterances(
    ecpec: Ecpec, iemocap: IemocapFiles | None, text_source: TextSource
) -> tuple[_Utterances, list[Check], list[str]]:
    """Everything about an utterance but its turn in a chunk, by utterance id."""
    merged: dict[str, UtteranceRow] = {}
    comparison = _Comparison()
    bar = tqdm(ecpec.dialogues.values(), desc="Reading IEMOCAP", unit=" dialogues", leave=False, disable=None)
    for dialogue in bar:
        spoken = _Spoken.read(dialogue, iemocap)
        for position, utterance_id in enumerate(dialogue.utterance_ids):
            heard, judged = spoken.transcript.get(utterance_id), spoken.evaluation.get(utterance_id)
            sentence = dialogue.sentences[position]
            if iemocap is not None:
                comparison.add(utterance_id, dialogue, position, heard, judged)
            text = heard.text if heard is not None and text_source == "iemocap" else sentence
            timed = heard if heard is not None and heard.start is not None else judged
            wav = iemocap.wavs.get(utterance_id) if iemocap is not None else None
            merged[utterance_id] = {
                "turn": 0,
                "source_turn": position + 1,
                "utterance_id": utterance_id,
                "speaker": dialogue.speakers[position],
                "text": text,
                "emotion": dialogue.emotions[position],
                "start": timed.start if timed is not None else None,
                "end": timed.end if timed is not None else None,
                "wav": wav[0] if wav is not None and wav[1] >= 0 else None,
                "video": spoken.video,
            }
    notes = []
    if iemocap is None:
        notes.append("Text is ConvECPE's; there is no IEMOCAP release, so times and media are null.")
    elif text_source == "ecpec":
        notes.append("Text is ConvECPE's, as asked for by text_source='ecpec'; times and media are IEMOCAP's.")
    return merged, comparison.checks() if iemocap is not None else [], notes


@dataclass(frozen=True)
class _Spoken:
    """What the release has on one dialogue."""

    transcript: Mapping[str, IemocapUtterance]
    evaluation: Mapping[str, IemocapUtterance]
    video: str | None

    @staticmethod
    def read(dialogue: SourceDialogue, iemocap: IemocapFiles | None) -> _Spoken:
        if iemocap is None:
            return _Spoken({}, {}, None)
        name = dialogue.dialogue_id
        for what, files in (("transcriptions", iemocap.transcripts), ("EmoEvaluation", iemocap.evaluations)):
            if name not in files:
                session = session_of(name)
                place = iemocap.root / f"Session{session if session > 0 else '*'}" / "dialog" / what / f"{name}.txt"
                raise MissingDataError(
                    f"{place}: missing, though ConvECPE has the dialogue {name!r}. The release is incomplete; to "
                    f"obtain it: {IEMOCAP_SOURCE}."
                )
        video = iemocap.videos.get(name)
        return _Spoken(
            transcript=read_transcript(iemocap.transcripts[name]),
            evaluation=read_evaluation(iemocap.evaluations[name]),
            video=video[0] if video is not None and video[1] >= 0 else None,
        )


class _Comparison:
    """Collects what ConvECPE and IEMOCAP disagree on."""

    def __init__(self) -> None:
        self._compared: Counter[str] = Counter()
        self._mismatches: dict[str, list[str]] = {name: [] for name in _CHECKS}

    def add(
        self,
        utterance_id: str,
        dialogue: SourceDialogue,
        position: int,
        heard: IemocapUtterance | None,
        judged: IemocapUtterance | None,
    ) -> None:
        self._check("transcript line", heard is not None, f"{utterance_id}: not in the transcript; text is ConvECPE's")
        self._check("evaluation line", judged is not None, f"{utterance_id}: not in EmoEvaluation")
        if heard is not None:
            text, sentence = heard.text or "", dialogue.sentences[position]
            self._check(
                "text", _letters(text) == _letters(sentence), f"{utterance_id}: IEMOCAP {text!r}, ConvECPE {sentence!r}"
            )
        if judged is not None:
            emotion = IEMOCAP_EMOTIONS[dialogue.emotions[position]]
            self._check(
                "emotion",
                judged.emotion == emotion,
                f"{utterance_id}: EmoEvaluation {judged.emotion!r}, ConvECPE {emotion!r}",
            )
        last = utterance_id.rpartition("_")[2][:1]
        if last in ("F", "M"):
            speaker = dialogue.speakers[position]
            self._check("speaker", last == speaker, f"{utterance_id}: ConvECPE says {speaker!r}")

    def _check(self, name: str, same: bool, mismatch: str) -> None:
        self._compared[name] += 1
        if not same:
            self._mismatches[name].append(mismatch)

    def checks(self) -> list[Check]:
        return [Check(_CHECKS[name], self._compared[name], tuple(self._mismatches[name])) for name in _CHECKS]


_CHECKS = {
    "transcript line": "utterances of ConvECPE in IEMOCAP's transcripts",
    "evaluation line": "utterances of ConvECPE in IEMOCAP's EmoEvaluation",
    "text": "text of IEMOCAP against ConvECPE's sentence (letters and digits only)",
    "emotion": "emotion of EmoEvaluation against ConvECPE's",
    "speaker": "speaker in the utterance id against ConvECPE's",
}


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _enforce(checks: Iterable[Check], max_mismatch: float) -> None:
    for check in checks:
        if check.share > max_mismatch:
            examples = "\n  ".join(check.mismatches[:_SHOWN])
            raise InvalidDataError(
                f"{check.name}: {len(check.mismatches)} of {check.compared} differ ({check.share:.2%}), more than the "
                f"accepted {max_mismatch:.2%}. Examples:\n  {examples}\nThe sources belong to different versions. If "
                f"the differences are harmless, raise max_mismatch, or take ConvECPE's text with text_source='ecpec'."
            )


# --- rows ---------------------------------------------------------------------------------------------------------


def released_label(
    role: int, *, source_pair: bool, forward: bool, config_name: str, forward_pairs: ForwardPairs
) -> int:
    """The label a candidate has in a configuration.

    Args:
        role: Id of its role in the overlay.
        source_pair: Whether ConvECPE calls it a pair.
        forward: Whether its cause comes after its target.
        config_name: ``3class`` or ``source_binary``.
        forward_pairs: ``as_published`` calls forward source pairs non_pair, which loses 221 real pairs.

    Returns:
        A class id of the configuration.

    Example:
        >>> released_label(0, source_pair=True, forward=True, config_name="source_binary", forward_pairs="as_published")
        1
    """
    if config_name == "3class":
        return role
    return _PAIR if source_pair and (not forward or forward_pairs == "gold") else _NON_PAIR


def pair_rows(
    chunk: OverlayChunk, source_pairs: frozenset[tuple[int, int]], *, config_name: str, forward_pairs: ForwardPairs
) -> list[PairRow]:
    """The pairs of a chunk's row.

    Args:
        chunk: The chunk.
        source_pairs: ConvECPE's pairs in turns of the chunk.
        config_name: ``3class`` or ``source_binary``.
        forward_pairs: What ``source_binary`` calls forward source pairs.

    Returns:
        One entry per candidate, in (target, cause) order.
    """
    rows: list[PairRow] = []
    for pair in chunk.pairs:
        source_pair = (pair.target, pair.cause) in source_pairs
        label = released_label(
            pair.label,
            source_pair=source_pair,
            forward=pair.cause > pair.target,
            config_name=config_name,
            forward_pairs=forward_pairs,
        )
        rows.append(
            {
                "target_turn": pair.target,
                "cause_turn": pair.cause,
                "label": label,
                "source_pair": source_pair,
                "context_subtypes": list(pair.context_subtypes),
                "taxonomy_label": pair.taxonomy_label,
                "label_source": pair.source,
            }
        )
    return rows


def _row(
    chunk: OverlayChunk,
    placement: Placement,
    dialogue: SourceDialogue,
    utterances: _Utterances,
    *,
    config_name: str,
    forward_pairs: ForwardPairs,
) -> Row:
    start = placement.start
    ids = dialogue.utterance_ids[start : start + chunk.num_utterances]
    local = frozenset((target - start, cause - start) for target, cause in dialogue.pairs)
    return {
        "dialogue_id": chunk.dialogue_id,
        "source_dialogue_id": dialogue.dialogue_id,
        "chunk_index": placement.chunk_index,
        "session": session_of(dialogue.dialogue_id),
        "utterances": [{**utterances[utterance_id], "turn": turn} for turn, utterance_id in enumerate(ids, start=1)],
        "pairs": pair_rows(chunk, local, config_name=config_name, forward_pairs=forward_pairs),
    }


# --- report -------------------------------------------------------------------------------------------------------


def _report(
    sources: MergeSources,
    overlay: Overlay,
    ecpec: Ecpec,
    placements: Mapping[str, Placement],
    rows: Mapping[str, list[Row]],
    checks: list[Check],
    notes: list[str],
) -> MergeReport:
    all_rows = [row for split_rows in rows.values() for row in split_rows]
    by_id = {chunk.dialogue_id: chunk for chunks in overlay.chunks.values() for chunk in chunks}
    transitions = {source: dict.fromkeys(ROLE_LABELS, 0) for source in PAIR_LABELS}
    counts: Counter[str] = Counter()
    for row in all_rows:
        inside = 0
        for pair, labelled in zip(row["pairs"], by_id[row["dialogue_id"]].pairs, strict=True):
            is_source = bool(pair["source_pair"])
            transitions[PAIR_LABELS[_PAIR if is_source else _NON_PAIR]][ROLE_LABELS[labelled.label]] += 1
            inside += is_source
            if labelled.cause > labelled.target:
                counts["temporal exceptions (cause after target)"] += 1
                counts["temporal exceptions that are no pair of ConvECPE"] += not is_source
        counts["pairs of ConvECPE among the candidates"] += inside
        for utterance in row["utterances"]:
            counts["utterances without times"] += utterance["start"] is None
            counts["utterances without wav"] += utterance["wav"] is None
            counts["utterances without video"] += utterance["video"] is None
    outside = _outside(placements, by_id, ecpec)
    placement: Counter[str] = Counter(place.method for place in placements.values())
    methods: dict[str, dict[str, list[str]]] = {}
    for name, place in sorted(placements.items(), key=lambda item: (item[1].dialogue_id, item[1].start)):
        methods.setdefault(place.dialogue_id, {}).setdefault(place.method, []).append(name)
    total = {
        "source dialogues": len(ecpec.dialogues),
        **{f"{split} chunks": len(split_rows) for split, split_rows in rows.items()},
        "utterances": sum(len(row["utterances"]) for row in all_rows),
        "candidate pairs": sum(len(row["pairs"]) for row in all_rows),
        "pairs of ConvECPE": sum(len(dialogue.pairs) for dialogue in ecpec.dialogues.values()),
        "causes of ConvECPE named twice (counted once)": ecpec.duplicate_causes,
        "pairs of ConvECPE among the candidates": counts.pop("pairs of ConvECPE among the candidates", 0),
        "pairs of ConvECPE that cross chunks (no candidates)": outside["across"],
        "forward pairs of ConvECPE that are no candidates": outside["forward"],
        "backward pairs of ConvECPE that are no candidates": outside["backward"],
        **{
            name: counts[name]
            for name in (
                "temporal exceptions (cause after target)",
                "temporal exceptions that are no pair of ConvECPE",
                "utterances without times",
                "utterances without wav",
                "utterances without video",
            )
        },
    }
    # In the release the exceptions are just the forward pairs of ConvECPE that lie within a chunk.
    for what in (
        "forward pairs of ConvECPE that are no candidates",
        "temporal exceptions that are no pair of ConvECPE",
    ):
        if total[what]:
            notes = [*notes, f"{total[what]} {what}; in the release there are none."]
            _LOGGER.warning("%d %s; in the release there are none.", total[what], what)
    return MergeReport(
        sources={
            "labels": str(sources.label_dir),
            "ConvECPE": f"{sources.ecpec} ({ecpec.n_entries} entries)",
            "IEMOCAP": str(sources.iemocap.root) if sources.iemocap is not None else "not there",
        },
        counts=total,
        checks=checks,
        transitions=transitions,
        placement=dict(placement),
        dialogues={
            name: "; ".join(f"{method}: {', '.join(chunks)}" for method, chunks in by_method.items())
            for name, by_method in methods.items()
        },
        notes=notes,
        synthetic=sources.synthetic or overlay.synthetic,
    )


def _outside(placements: Mapping[str, Placement], chunks: Mapping[str, OverlayChunk], ecpec: Ecpec) -> Counter[str]:
    """Counts the pairs of ConvECPE that are no candidates, by reason."""
    owner: dict[tuple[str, int], str] = {}
    for name, placement in placements.items():
        for turn in range(placement.start + 1, placement.start + chunks[name].num_utterances + 1):
            owner[placement.dialogue_id, turn] = name
    candidates = {name: {(pair.target, pair.cause) for pair in chunk.pairs} for name, chunk in chunks.items()}
    outside: Counter[str] = Counter()
    for dialogue in ecpec.dialogues.values():
        for target, cause in dialogue.pairs:
            name = owner[dialogue.dialogue_id, target]
            start = placements[name].start
            if owner[dialogue.dialogue_id, cause] != name:
                outside["across"] += 1
            elif (target - start, cause - start) not in candidates[name]:
                outside["forward" if cause > target else "backward"] += 1
    return outside
