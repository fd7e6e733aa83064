"""Refuses sources that differ too much, and says where texts that are out of place belong.

A share of all utterances cannot tell a few typing errors in every dialogue from one dialogue that is wrong throughout.
Hence there are two limits, one over all utterances and one for each dialogue; and texts that fit another utterance or
another dialogue are called what they are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.merging.comparison import CHECK_NAMES, SAME_TIME, Comparison
from iemomecp_dataset.merging.merge_report import Check
from iemomecp_dataset.merging.text_places import cross_dialogue_places, foreign_files, letters, order_in_dialogue
from iemomecp_dataset.options import LoadOptions, TextSource

__all__ = ["Tolerance", "enforce_limits", "warn_of_mismatches"]

_LOGGER = logging.getLogger(__name__)
_SHOWN = 5
_SHOWN_TURNS = 3
_SHOWN_CHARACTERS = 60
_ODD_TIMES = 0.05
_ODD_EMOTIONS = 0.5
_FEWEST_EMOTIONS = 5


@dataclass(frozen=True)
class Tolerance:
    """How far ConvECPE and IEMOCAP may differ.

    Attributes:
        max_mismatch: Largest accepted share of all utterances, in each check.
        max_dialogue_mismatch: Largest accepted share of a dialogue's utterances whose texts differ, or that
            EmoEvaluation lacks; a single utterance is always accepted.
        allow_missing_text: Whether utterances may lack a line in the transcript, and have ConvECPE's text then.
    """

    max_mismatch: float = LoadOptions.max_mismatch
    max_dialogue_mismatch: float = LoadOptions.max_dialogue_mismatch
    allow_missing_text: bool = LoadOptions.allow_missing_text


def enforce_limits(comparison: Comparison, tolerance: Tolerance, text_source: TextSource) -> list[str]:
    """Refuses sources that differ too much.

    Args:
        comparison: The compared sources.
        tolerance: What is accepted.
        text_source: With ``ecpec`` IEMOCAP's texts are compared and not used: they may be missing, and may differ
            unless they fit another utterance or dialogue, since then one of the two sources is in disorder.

    Returns:
        Sentences on accepted dialogues in which several texts fit other utterances or another dialogue, times differ
        between the files of IEMOCAP, or most emotions differ.

    Raises:
        InvalidDataError: They differ too much; the message names the dialogues, the first turns and both texts.
    """
    for name, what in (("transcript line", "transcript"), ("evaluation line", "evaluation")):
        _refuse_foreign_files(comparison, name, what)
    used = text_source == "iemocap"
    limit = tolerance.max_dialogue_mismatch
    differing = comparison.beyond("text", limit)
    several = comparison.beyond("text", 0.0)
    places = _places(comparison, several)
    if any(places[name] for name in differing):
        _refuse_dialogues(comparison, {name: differing[name] for name in differing if places[name]}, places, limit)
    if used and not tolerance.allow_missing_text:
        _refuse_missing_text(comparison)
    exempt = {CHECK_NAMES["text"]} if not used else set()
    if used and tolerance.allow_missing_text:
        exempt.add(CHECK_NAMES["transcript line"])
    _enforce_share([check for check in comparison.checks() if check.name not in exempt], tolerance.max_mismatch)
    if used and differing:
        _refuse_dialogues(comparison, differing, places, limit)
    for name, file in (("transcript line", "the transcript"), ("evaluation line", "EmoEvaluation")):
        if CHECK_NAMES[name] not in exempt and (lacking := comparison.beyond(name, limit)):
            _refuse_lacking(comparison, lacking, file, limit)
    return [
        f"{name}: {len(several[name])} of {len(comparison.source(name))} texts differ between IEMOCAP and ConvECPE; "
        f"{places[name]}. That is accepted, as max_dialogue_mismatch is {limit:g}."
        for name in several
        if places[name]
    ] + _odd_annotations(comparison)


def _odd_annotations(comparison: Comparison) -> list[str]:
    """Says in which dialogues times or emotions are those of other utterances, by all appearances.

    Neither ends the load: how well the genuine files agree on times is not known, and emotions have their own limit.
    """
    times = comparison.other_times(_ODD_TIMES)
    emotions = {
        name: len(positions)
        for name, positions in comparison.beyond("emotion", _ODD_EMOTIONS).items()
        if len(comparison.source(name)) >= _FEWEST_EMOTIONS
    }
    kinds = (
        (times, f"Times differ by more than {SAME_TIME:g} s between transcript and EmoEvaluation"),
        (emotions, "Emotions differ between EmoEvaluation and ConvECPE"),
    )
    return [
        f"{what} in {_dialogues(len(found))}: "
        + ", ".join(
            f"{count} of {len(comparison.source(name))} in {name}" for name, count in list(found.items())[:_SHOWN]
        )
        + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
        + ". Are their files as they were released?"
        for found, what in kinds
        if found
    ]


def _places(comparison: Comparison, differing: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """Says of each dialogue where its texts belong; empty text where that is not known."""
    if not differing:
        return {}
    texts = comparison.texts()
    orders = {name: order_in_dialogue(texts[name]) for name in differing}
    places = {name: f"they are {order}" if order else "" for name, order in orders.items()}
    elsewhere = cross_dialogue_places([name for name in differing if not places[name]], texts)
    for name in differing:
        if (other := elsewhere.exchanged_with(name)) is not None:
            places[name] = f"two transcripts exchanged: {' and '.join(sorted((name, other)))}"
        elif name in elsewhere.held:
            places[name] = f"they are those of {elsewhere.held[name]}"
        elif name in elsewhere.standing_in:
            places[name] = f"ConvECPE's stand in the transcript of {elsewhere.standing_in[name]}"
    return places


def _refuse_dialogues(
    comparison: Comparison, differing: Mapping[str, Sequence[int]], places: Mapping[str, str], limit: float
) -> None:
    lines = []
    for name, positions in list(differing.items())[:_SHOWN]:
        source, release = comparison.source(name), comparison.release(name)
        place = f"; {places[name]}" if places[name] else ""
        lines.append(f"  {name} ({release.transcript_path}): {len(positions)} of {len(source)} texts differ{place}")
        for position in positions[:_SHOWN_TURNS]:
            utterance_id = source.utterance_ids[position]
            text = release.transcript[utterance_id].text or ""
            lines.append(
                f"    turn {position + 1}, {utterance_id}: IEMOCAP {_shortened(text)}, "
                f"ConvECPE {_shortened(source.sentences[position])}"
            )
    # Texts out of place are refused whichever are used, since one of the two sources is in disorder.
    displaced = any(places[name] for name in differing)
    harmless = "If the differences are harmless, raise max_dialogue_mismatch=" + (
        "." if displaced else ", or take ConvECPE's text with text_source='ecpec'."
    )
    raise InvalidDataError(
        f"The texts of IEMOCAP and ConvECPE differ in more than one utterance, and in more than {limit:.2%} of the "
        f"utterances, of {_dialogues(len(differing))}:\n"
        + "\n".join(lines)
        + _and_more(len(differing))
        + "\nRestore the files of these dialogues from the release, and ConvECPE from its repository. "
        + harmless
    )


def _refuse_missing_text(comparison: Comparison) -> None:
    missing = {name: set(positions) for name, positions in comparison.positions("transcript line").items()}
    cut = {name for name in comparison.positions("text") if _cut_within_last_line(comparison, name)}
    affected = list(dict.fromkeys([*missing, *sorted(cut)]))
    if not affected:
        return
    lines = []
    for name in affected[:_SHOWN]:
        source, lacking = comparison.source(name), missing.get(name, set())
        first = len(source) - len(lacking)
        if name in cut:
            how = f"it ends early, within {next(reversed(comparison.release(name).transcript))}"
        elif not first:
            others = _owners(comparison, comparison.release(name).transcript)
            how = f"it has none of them{', and utterances of ' if others else ''}{' and '.join(others[:_SHOWN])}"
        elif lacking == set(range(first, len(source))):
            how = f"it ends early, after {source.utterance_ids[first - 1]}"
        else:
            shown = ", ".join(source.utterance_ids[position] for position in sorted(lacking)[:_SHOWN_TURNS])
            how = f"not in the transcript: {shown}{', …' if len(lacking) > _SHOWN_TURNS else ''}"
        count = f"{len(lacking)} of {len(source)} utterances are missing; " if lacking else ""
        lines.append(f"  {name} ({comparison.release(name).transcript_path}): {count}{how}")
    raise InvalidDataError(
        f"The transcripts of IEMOCAP lack text that ConvECPE has, in {_dialogues(len(affected))}:\n"
        + "\n".join(lines)
        + _and_more(len(affected))
        + "\nRestore these files from the release. With allow_missing_text=True, of load_dataset and of the build "
        "from sources, the utterances that are not in the transcript take ConvECPE's text and EmoEvaluation's times, "
        "and are counted."
    )


def _owners(comparison: Comparison, utterance_ids: Iterable[str]) -> list[str]:
    """Lists the dialogues that utterances belong to in ConvECPE."""
    wanted = set(utterance_ids)
    return [name for name in comparison.names if not wanted.isdisjoint(comparison.source(name).utterance_ids)]


def _cut_within_last_line(comparison: Comparison, name: str) -> bool:
    """Whether the last line of a transcript is the beginning of what ConvECPE has for it, and not all of it."""
    source, release = comparison.source(name), comparison.release(name)
    last = next(reversed(release.transcript))
    return any(
        source.utterance_ids[position] == last
        and letters(source.sentences[position]).startswith(letters(release.transcript[last].text or ""))
        for position in comparison.positions("text")[name]
    )


def _refuse_foreign_files(comparison: Comparison, name: str, what: str) -> None:
    missing = {
        dialogue: [comparison.source(dialogue).utterance_ids[position] for position in positions]
        for dialogue, positions in comparison.positions(name).items()
    }
    owners = foreign_files(missing, comparison.files(what))
    if not owners:
        return
    kind = "transcripts" if what == "transcript" else "files of EmoEvaluation"
    found = []
    for dialogue, other in owners.items():
        path = getattr(comparison.release(dialogue), f"{what}_path")
        if owners.get(other) == dialogue:
            first, second = sorted((dialogue, other))
            paths = [getattr(comparison.release(name), f"{what}_path") for name in (first, second)]
            found.append(f"two {kind} exchanged: {first} and {second} ({paths[0]} and {paths[1]})")
        else:
            found.append(f"{path}: {len(missing[dialogue])} utterances of {dialogue} stand in the file of {other}")
    found = list(dict.fromkeys(found))
    raise InvalidDataError(
        "Files of IEMOCAP hold utterances of other dialogues than they are named after:\n  "
        + "\n  ".join(found[:_SHOWN])
        + _and_more(len(found))
        + "\nRestore these files from the release. If they are as they were released, the utterance ids of ConvECPE "
        "are exchanged: clone its repository again."
    )


def _refuse_lacking(comparison: Comparison, lacking: Mapping[str, Sequence[int]], file: str, limit: float) -> None:
    shown = "\n  ".join(
        f"{name}: {len(positions)} of {len(comparison.source(name))}, the first "
        f"{comparison.source(name).utterance_ids[positions[0]]}"
        for name, positions in list(lacking.items())[:_SHOWN]
    )
    raise InvalidDataError(
        f"More than one utterance, and more than {limit:.2%} of the utterances, are not in {file} of "
        f"{_dialogues(len(lacking))}:\n  {shown}{_and_more(len(lacking))}\n"
        f"Restore the files of these dialogues from the release, or raise max_dialogue_mismatch=."
    )


def _enforce_share(checks: Iterable[Check], max_mismatch: float) -> None:
    for check in checks:
        if check.share > max_mismatch:
            examples = "\n  ".join(map(_cut, check.mismatches[:_SHOWN]))
            raise InvalidDataError(
                f"{check.name}: {len(check.mismatches)} of {check.compared} differ ({check.share:.2%}), more than the "
                f"accepted {max_mismatch:.2%}. Examples:\n  {examples}\nThe sources belong to different versions. If "
                f"the differences are harmless, raise max_mismatch=, or take ConvECPE's text with text_source='ecpec'."
            )


def _dialogues(count: int) -> str:
    return f"{count} dialogue{'s' * (count != 1)}"


def _and_more(count: int) -> str:
    return f"\n  and {count - _SHOWN} more" if count > _SHOWN else ""


def _shortened(text: str) -> str:
    return repr(_cut(text, _SHOWN_CHARACTERS))


def _cut(text: str, length: int = 400) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def warn_of_mismatches(checks: Iterable[Check], where: str) -> None:
    """Warns of accepted disagreements between the sources, with an example of each kind.

    Args:
        checks: Comparisons.
        where: Sentence that says where all of them are listed.
    """
    for check in checks:
        if check.mismatches:
            _LOGGER.warning(
                "%s: %d of %d utterances differ, such as %s. %s",
                check.name,
                len(check.mismatches),
                check.compared,
                _cut(check.mismatches[0]),
                where,
            )
