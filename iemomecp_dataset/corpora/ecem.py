"""Reads ECEM: one JSON file of explanations, joined to the dialogues of MELD.

What is pure here is public: the prompt's template, the repair of texts, their status, the split of a dialogue.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iemomecp_dataset.corpora.dialogues import CorpusDialogue, corpus_row
from iemomecp_dataset.corpora.ecf import read_ecf_text
from iemomecp_dataset.corpora.meld import find_clips, read_meld
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.corpora.utterance_map import read_utterance_map
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import described, is_integer
from iemomecp_dataset.files import read_json
from iemomecp_dataset.merging.merge_report import Check, MergeReport
from iemomecp_dataset.options import LoadOptions
from iemomecp_dataset.overlay.summary import git_blob_id
from iemomecp_dataset.reader import SYNTHETIC_FILE, Inputs, Loaded, require_folder
from iemomecp_dataset.schema import EXPLANATION_STATUSES, SPLITS, ExplanationRow, Row

__all__ = [
    "EcemItem",
    "agreement",
    "explanation_status",
    "find_ecem",
    "meld_prefix_split",
    "parse_prompt",
    "read_ecem",
    "read_items",
    "repair_text",
]

_LEAST_AGREEMENT = 0.8
_COMPARED = 1000
_VALIDATION_SHARE = 10
"""One of so many train dialogues is for validation."""

_PROMPT = re.compile(r"<video>\nExplain why the emotion of this statement is (\w+) <(.*)>", re.DOTALL)
_VIDEO = re.compile(r"(t_)?(\d{1,6})_(\d{1,6})\.mp4")
_LATIN_RUN = re.compile("[\u00c2-\u00f4][\u0080-\u00bf]+")
_LOST_BYTE = re.compile("\u00e2[\u0080-\u009f]+\\?")
_META = re.compile(r"translat|in English|source text", re.IGNORECASE)
_CJK = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_CLOSING = "\"'`)]}>\u2019\u201d\u00bb \t\n"


@dataclass(frozen=True)
class EcemItem:
    """An item of the file.

    Attributes:
        number: Its ``id``.
        part: Part of MELD: ``train`` or ``test``.
        dialogue: ``Dialogue_ID`` of MELD.
        place: What the clip's name has for the utterance: in ``train`` its 0-based position in the dialogue, in
            ``test`` its ``Utterance_ID``.
        emotion: Emotion of the prompt.
        speaker: Speaker of the prompt.
        utterance: Utterance of the prompt.
        explanation: Text of the answer, as it is in the file.
    """

    number: int
    part: str
    dialogue: int
    place: int
    emotion: str
    speaker: str
    utterance: str
    explanation: str


def parse_prompt(text: str) -> tuple[str, str, str] | None:
    r"""Reads the prompt of an item, which has one template.

    Args:
        text: The value of the human's turn.

    Returns:
        Emotion, speaker and utterance; None for any other text.

    Example:
        >>> parse_prompt("<video>\nExplain why the emotion of this statement is joy <Ann: Look: rain!>")
        ('joy', 'Ann', 'Look: rain!')
    """
    match = _PROMPT.fullmatch(text.strip())
    if match is None:
        return None
    speaker, colon, utterance = match[2].partition(": ")
    return (match[1], speaker, utterance) if colon else None


def repair_text(text: str) -> str:
    r"""Repairs what an encoding has damaged, and nothing else.

    UTF-8 that was read as Latin-1 is read again as UTF-8. Where one of its bytes was lost (shown as ``?``), it was a
    dash or a closing quote, which no score counts, so it becomes a dash.

    Args:
        text: An explanation of the file.

    Returns:
        The text without blanks around it.

    Example:
        >>> repair_text(" It rains\u00e2\u0080\u0094hard\u00e2\u0080? still. ")
        'It rains—hard— still.'
    """
    return _LOST_BYTE.sub("\u2014", _LATIN_RUN.sub(_as_utf8, text)).strip()


def _as_utf8(match: re.Match[str]) -> str:
    try:
        return match[0].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return match[0]


def explanation_status(text: str) -> str:
    """Says what a repaired text holds in place of an explanation.

    Args:
        text: What :func:`repair_text` gives.

    Returns:
        The first that applies: ``missing`` (``-1``), ``meta`` (an answer about a translation), ``foreign`` (with
        Chinese characters), ``truncated`` (does not end with ``.``, ``!`` or ``?``, closing quotes and brackets
        ignored), ``complete``.

    Example:
        >>> [explanation_status(text) for text in ("-1", "It rains (at last.)", "Because it", "It 下 rains.")]
        ['missing', 'complete', 'truncated', 'foreign']
    """
    if text in ("", "-1"):
        return "missing"
    if _META.search(text):
        return "meta"
    if _CJK.search(text):
        return "foreign"
    return "complete" if text.rstrip(_CLOSING).endswith((".", "!", "?")) else "truncated"


def meld_prefix_split(dialogue_id: str) -> str:
    """Assigns a dialogue to a split of ``meld-prefix``, this package's split: the authors' own is not public.

    Args:
        dialogue_id: Id as of ``meld``, such as ``train_dia0``.

    Returns:
        ``test`` for dialogues of MELD's test part; of the train part ``validation`` for those whose SHA-256 is a
        multiple of ten, else ``train``.

    Example:
        >>> [meld_prefix_split(f"train_dia{number}") for number in (0, 1, 3)], meld_prefix_split("test_dia0")
        (['train', 'train', 'train'], 'test')
    """
    if dialogue_id.startswith("test_"):
        return "test"
    digest = int(hashlib.sha256(dialogue_id.encode()).hexdigest(), 16)
    return "validation" if digest % _VALIDATION_SHARE == 0 else "train"


def agreement(one: str, other: str) -> float:
    """Compares the letters and digits of two texts.

    Returns:
        Ratio of :class:`difflib.SequenceMatcher`, 0 to 1; case, punctuation and damaged characters do not count. Of
        different texts the first thousand letters and digits are compared, as time grows with their square.

    Example:
        >>> agreement("It's raining!", "its RAINING"), agreement("", "...")
        (1.0, 1.0)
    """
    first, second = (re.sub(r"[^a-z0-9]", "", text.lower()) for text in (one, other))
    if first == second:
        return 1.0
    return difflib.SequenceMatcher(None, first[:_COMPARED], second[:_COMPARED], autojunk=False).ratio()


def read_items(path: Path) -> list[EcemItem]:
    """Reads the file.

    Args:
        path: ``train_data_just_reason.json``.

    Returns:
        Its items, in file order.

    Raises:
        InvalidDataError: It is malformed; the message names file and item.
        MissingDataError: It cannot be read.
    """
    content = read_json(path)
    if not isinstance(content, list) or not content:
        raise InvalidDataError(
            f"{path}: expected a list of items, each with 'id', 'video' and 'conversations', found "
            f"{described(content)}. Give the file that its authors published."
        )
    items: list[EcemItem] = []
    seen: set[int] = set()
    for position, entry in enumerate(content):
        number = entry.get("id") if isinstance(entry, dict) else None
        if not is_integer(number):
            raise InvalidDataError(
                f"{path}, position {position}: expected an item with a whole number 'id', found {excerpt(number)!r}."
            )
        if number in seen:
            raise InvalidDataError(f"{path}, item {number}: this id occurs twice; each item needs its own.")
        seen.add(number)
        items.append(_item(entry, number, f"{path}, item {number}"))
    return items


def _item(entry: Mapping[str, Any], number: int, where: str) -> EcemItem:
    video = entry.get("video")
    match = _VIDEO.fullmatch(video) if isinstance(video, str) else None
    if match is None:
        raise InvalidDataError(f"{where}: expected 'video' like '12_3.mp4' or 't_12_3.mp4', found {excerpt(video)!r}.")
    turns = entry.get("conversations")
    if not isinstance(turns, list) or len(turns) != 2 or not all(isinstance(turn, dict) for turn in turns):
        raise InvalidDataError(f"{where}: expected 'conversations' of two turns, human and gpt.")
    if [turn.get("from") for turn in turns] != ["human", "gpt"]:
        found = " and ".join(excerpt(turn.get("from"), 20) for turn in turns)
        raise InvalidDataError(f"{where}: expected turns from human and gpt, found {found}.")
    asked, answer = (turn.get("value") for turn in turns)
    if not isinstance(asked, str) or not isinstance(answer, str):
        raise InvalidDataError(f"{where}: the 'value' of both turns must be text.")
    prompt = parse_prompt(asked)
    if prompt is None:
        raise InvalidDataError(
            f"{where}: the question is not '<video>', a line break, 'Explain why the emotion of this statement is "
            f"EMOTION <SPEAKER: UTTERANCE>'."
        )
    if prompt[0] not in CORPORA["ecem"].emotions:
        raise InvalidDataError(
            f"{where}: unknown emotion {prompt[0][:40]!r}; expected one of {', '.join(CORPORA['ecem'].emotions)}."
        )
    return EcemItem(number, "test" if match[1] else "train", int(match[2]), int(match[3]), *prompt, explanation=answer)


def ecf_map_file(options: LoadOptions) -> Path | None:
    """Names the map of ECF's utterances to MELD's that a configuration is loaded with.

    Args:
        options: What to load.

    Returns:
        The file, which may not exist; None where neither ``ecf_map`` nor ``ecf_root`` is given.

    Example:
        >>> str(ecf_map_file(LoadOptions("ecem", ecf_root=Path("ECF"))))
        'ECF/all_data_pair_ECFvsMELD.txt'
    """
    if options.ecf_map is not None or options.ecf_root is None:
        return options.ecf_map
    return options.ecf_root / CORPORA["ecf"].origin_map


def find_ecem(options: LoadOptions) -> Inputs:
    """Finds the files of ECEM, of MELD and, where they are named, of ECF.

    Args:
        options: What to load.

    Returns:
        The files found.

    Raises:
        MissingDataError: A folder or file is missing.
        UsageError: ``ecf_map`` without ``ecf_root``.
    """
    corpus = CORPORA["ecem"]
    if options.data_dir is None:
        raise MissingDataError("Configuration 'ecem' needs data_dir=.")
    require_folder(options.data_dir, f"the folder of {corpus.title}", corpus.how_to_obtain)
    name = corpus.split_files["train"][0]
    path = options.data_dir / name
    if not path.is_file():
        raise MissingDataError(
            f"{options.data_dir}: no file of {corpus.title} found. Looked for {name}. To obtain it: "
            f"{corpus.how_to_obtain}."
        )
    meld_root = options.meld_root or options.data_dir
    if options.meld_root is not None:
        require_folder(meld_root, "the folder of MELD", CORPORA["meld"].how_to_obtain)
    csvs: dict[str, Path] = {}
    notes: list[str] = []
    for part in ("train", "test"):
        names = CORPORA["meld"].split_files[part]
        found = [meld_root / file for file in names if (meld_root / file).is_file()]
        if found:
            csvs[part] = found[0]
        else:
            notes.append(f"{meld_root}: no {names[0]} of MELD; the items of its {part} part are omitted.")
    if not csvs:
        raise MissingDataError(
            f"{meld_root}: no CSV file of MELD found, which has the dialogues of ECEM's items. Looked for "
            f"train_sent_emo.csv and test_sent_emo.csv; meld_root= names another folder. To obtain them: "
            f"{CORPORA['meld'].how_to_obtain}."
        )
    ecf, map_path = _find_ecf(options)
    clips = find_clips(meld_root)
    folders = {options.data_dir, meld_root, *((options.ecf_root,) if options.ecf_root else ())}
    synthetic = any((folder / SYNTHETIC_FILE).exists() for folder in folders)
    if not synthetic and _blob_id(path) != corpus.blobs[name]:
        notes.append(
            f"{path}: not the published file (its git blob id would be {corpus.blobs[name]}), so the published counts "
            f"need not hold for it."
        )
    return Inputs(
        files=(path, *csvs.values(), *ecf, *((map_path,) if map_path else ())),
        splits=tuple(split for split in SPLITS if ("test" if split == "test" else "train") in csvs),
        media=tuple(clips.values()),
        read=functools.partial(
            read_ecem,
            path,
            csvs,
            status=options.status,
            ecf_files=ecf,
            ecf_map=map_path,
            clips={key: clip for key, (clip, _) in clips.items()},
            synthetic=synthetic,
        ),
        synthetic=synthetic,
        notes=tuple(notes),
    )


def _find_ecf(options: LoadOptions) -> tuple[tuple[Path, ...], Path | None]:
    corpus = CORPORA["ecf"]
    if options.ecf_root is None:
        if options.ecf_map is not None:
            raise UsageError("ecf_map= is the map of the files in ecf_root=; give both, or neither.")
        return (), None
    root = require_folder(options.ecf_root, "the folder of ECF", corpus.how_to_obtain)
    files = tuple(root / file for file in ("train.txt", "dev.txt", "test.txt") if (root / file).is_file())
    if not files:
        raise MissingDataError(
            f"{root}: no file of ECF 1.0 found. Looked for train.txt, dev.txt and test.txt. To obtain it: "
            f"{corpus.how_to_obtain}."
        )
    map_path = ecf_map_file(options)
    assert map_path is not None  # of ecf_root
    if not map_path.is_file():
        raise MissingDataError(
            f"{map_path}: there is no such file. Gold causes of ECF attach through its authors' map "
            f"{corpus.origin_map}; ecf_map= names it. To obtain it: the folder data/ of {corpus.url}."
        )
    return files, map_path


def _blob_id(path: Path) -> str:
    try:
        return git_blob_id(path)
    except OSError as error:
        raise MissingDataError(f"{path}: cannot be read ({error.strerror}). Check the file and its rights.") from None


@dataclass(frozen=True)
class _Joined:
    item: EcemItem
    dialogue_id: str
    turn: int
    text: str
    status: str


def read_ecem(
    path: Path,
    meld_files: Mapping[str, Path],
    *,
    status: str = "complete",
    ecf_files: Sequence[Path] = (),
    ecf_map: Path | None = None,
    clips: Mapping[str, str] | None = None,
    synthetic: bool = False,
) -> Loaded:
    """Reads ECEM and joins it to MELD.

    Args:
        path: The file of ECEM.
        meld_files: CSV files of MELD by part, ``train`` and ``test``; items of an absent part are omitted.
        status: ``complete``: complete explanations, and dialogues that have some; ``all``: every one.
        ecf_files: Files of ECF 1.0, whose gold causes are attached.
        ecf_map: The map of ECF's utterances to MELD's, likewise.
        clips: Paths of clips by utterance id, where they are on disk.
        synthetic: Whether a program made the files, for the report.

    Returns:
        Rows by split of ``meld-prefix``, and a report in which every item is accounted for.

    Raises:
        InvalidDataError: A file is malformed, an item has no row in MELD or another text there, or two items are of one
            utterance.
        MissingDataError: A file cannot be read.
    """
    items = read_items(path)
    dialogues = {part: {d.dialogue_id: d for d in read_meld(file)} for part, file in meld_files.items()}
    joined: dict[str, list[_Joined]] = defaultdict(list)
    counts: Counter[str] = Counter({"items of the file": len(items)})
    differ: dict[str, list[str]] = {"speaker of MELD": [], "emotion of MELD": [], "naive join": []}
    taken: dict[tuple[str, int], int] = {}
    for item in items:
        if item.part not in dialogues:
            counts[f"items omitted for want of MELD's {item.part} part"] += 1
            continue
        found = _join(item, dialogues[item.part], path, meld_files[item.part], differ)
        if (other := taken.setdefault((found.dialogue_id, found.turn), item.number)) != item.number:
            raise InvalidDataError(
                f"{path}, item {item.number}: it explains turn {found.turn} of {found.dialogue_id}, as item {other} "
                f"does; each utterance has one item."
            )
        joined[found.dialogue_id].append(found)
        counts["items joined to MELD"] += 1
        counts[f"explanations {found.status}"] += 1
        counts["texts repaired"] += found.text != item.explanation.strip()
    causes = _gold_causes(ecf_files, ecf_map) if ecf_map is not None else None
    everything = {key: dialogue for part in dialogues.values() for key, dialogue in part.items()}
    rows: dict[str, list[Row]] = {split: [] for split in SPLITS}
    of_split: dict[str, str] = {}
    left_out: Counter[str] = Counter()
    for dialogue_id, dialogue in everything.items():
        of_dialogue = sorted(joined.get(dialogue_id, ()), key=lambda one: one.turn)
        kept = [one for one in of_dialogue if status == "all" or one.status == "complete"]
        left_out.update(f"explanations {one.status}" for one in of_dialogue if one not in kept)
        if not kept:
            if of_dialogue:
                left_out["dialogues whose explanations are all damaged"] += 1
            continue
        split = of_split[dialogue_id] = meld_prefix_split(dialogue_id)
        explained = replace(dialogue, explanations=[_explanation(one, dialogue, causes, counts) for one in kept])
        row = corpus_row(explained, CORPORA["ecem"].emotions, None)
        for spoken in row["utterances"]:
            spoken["video"] = (clips or {}).get(spoken["utterance_id"] or "", spoken["video"])
        rows[split].append(row)
    kept_rows = {split: of for split, of in rows.items() if of}
    counts.update({f"{split}: dialogues": len(of) for split, of in kept_rows.items()})
    counts.update(
        {f"{split}: explanations": sum(len(r["explanations"]) for r in of) for split, of in kept_rows.items()}
    )
    counts.update({f"left out: {what}": n for what, n in left_out.items()})
    report = MergeReport(
        sources={
            "ECEM": str(path),
            **{f"MELD {part}": str(file) for part, file in meld_files.items()},
            **{f"ECF {file.stem}": str(file) for file in ecf_files},
            **({"ECF map": str(ecf_map)} if ecf_map else {}),
        },
        counts=dict(counts),
        checks=[Check(what, counts["items joined to MELD"], tuple(which)) for what, which in differ.items()],
        transitions={},
        placement={},
        dialogues=of_split,
        notes=("Splits are those of meld-prefix, this package's own; the authors' are not public.",),
        synthetic=synthetic,
    )
    omitted = {what: n for what, n in counts.items() if what.startswith("items omitted")}
    damaged = {what: left_out[what] for what in sorted(left_out)}
    if not kept_rows:
        raise InvalidDataError(f"{path}: none of its {len(items)} items can be kept ({dict(counts)}).")
    return Loaded(rows=kept_rows, counts={**damaged, **omitted}, report=report, synthetic=synthetic)


def _join(
    item: EcemItem,
    dialogues: Mapping[str, CorpusDialogue],
    path: Path,
    meld_file: Path,
    differ: Mapping[str, list[str]],
) -> _Joined:
    where = f"{path}, item {item.number}"
    dialogue_id = f"{item.part}_dia{item.dialogue}"
    dialogue = dialogues.get(dialogue_id)
    spoken = () if dialogue is None else dialogue.utterances
    by_number = {utterance.source_turn: turn for turn, utterance in enumerate(spoken, start=1)}
    # In the train part the clip names the position: Utterance_ID, which the test part uses, has gaps.
    naive = by_number.get(item.place + 1)
    turn = item.place + 1 if item.part == "train" else naive
    if turn is None or not 1 <= turn <= len(spoken):
        has = "no such dialogue" if dialogue is None else f"{len(spoken)} utterances in it"
        raise InvalidDataError(
            f"{where}: it has no row in MELD: dialogue {item.dialogue}, utterance {item.place}, but {meld_file} has "
            f"{has}. Are both files those that their authors published?"
        )
    utterance = spoken[turn - 1]
    same = agreement(item.utterance, utterance.text)
    if same < _LEAST_AGREEMENT:
        raise InvalidDataError(
            f"{where}: its utterance is not that of {utterance.utterance_id} in {meld_file}: the ratio of equal "
            f"letters and digits is {same:.2f}, expected at least {_LEAST_AGREEMENT}. Are both files those that "
            f"their authors published?"
        )
    name = f"item {item.number} ({utterance.utterance_id})"
    if naive != turn:
        differ["naive join"].append(f"{name}: Utterance_ID {item.place} is another utterance, or none")
    if item.speaker.casefold() != utterance.speaker.casefold():
        differ["speaker of MELD"].append(f"{name}: ECEM {item.speaker!r}, MELD {utterance.speaker!r}")
    if item.emotion != utterance.emotion:
        differ["emotion of MELD"].append(f"{name}: ECEM {item.emotion}, MELD {utterance.emotion}")
    text = repair_text(item.explanation)
    return _Joined(item, dialogue_id, turn, text, explanation_status(text))


def _gold_causes(files: Iterable[Path], map_path: Path) -> dict[str, list[str | None] | None]:
    """Gold causes as utterance ids of MELD, by that of the target; None where its conversation is in no file."""
    gold: dict[str, tuple[Path, CorpusDialogue]] = {}
    for file in files:
        gold |= {dialogue.dialogue_id: (file, dialogue) for dialogue in read_ecf_text(file)}
    causes: dict[str, list[str | None] | None] = {}
    for conversation, mapped in read_utterance_map(map_path).items():
        if conversation not in gold:
            causes |= {of.utterance: None for of in mapped if of.utterance}
            continue
        file, dialogue = gold[conversation]
        own = [utterance.speaker.casefold() for utterance in dialogue.utterances]
        if own != [of.speaker.casefold() for of in mapped]:
            raise InvalidDataError(
                f"{map_path}, conversation {conversation}: its turns and speakers are not those of {file}. Is the map "
                f"that of this edition of ECF?"
            )
        for turn, of in enumerate(mapped, start=1):
            if of.utterance:
                pairs = sorted(cause for target, cause in dialogue.gold if target == turn)
                causes[of.utterance] = [mapped[cause - 1].utterance for cause in pairs]
    return causes


def _explanation(
    one: _Joined,
    dialogue: CorpusDialogue,
    causes: Mapping[str, list[str | None] | None] | None,
    counts: Counter[str],
) -> ExplanationRow:
    turns: list[int] = []
    if causes is not None:
        found = causes.get(dialogue.utterances[one.turn - 1].utterance_id, ())
        by_id = {utterance.utterance_id: turn for turn, utterance in enumerate(dialogue.utterances, start=1)}
        turns = sorted(by_id[cause] for cause in found or () if cause in by_id)
        counts["cause turns attached"] += len(turns)
        counts["causes of ECF outside the dialogue of MELD"] += len(found or ()) - len(turns)
        what = "without a gold pair in ECF" if not found else "with gold causes of ECF"
        if found == ():
            what = "without a row in ECF"
        elif found is None:
            what = "whose conversation is in no file of ECF"
        counts[f"explanations {what}"] += 1
    return {
        "target_turn": one.turn,
        "text": one.text,
        "status": EXPLANATION_STATUSES.index(one.status),
        "cause_turns": turns,
    }
