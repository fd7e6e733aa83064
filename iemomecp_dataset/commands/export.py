r"""Writes the explanations of a corpus as conversations, one file per split, for trainers of other projects.

    python scripts/export_conversations.py --data_dir path/to/ecem --meld_root path/to/meld --output_dir conversations
    python scripts/export_conversations.py --data_dir path/to/ecem --meld_root path/to/meld --ecf_root path/to/ecf \
        --causes gold --format llava --output_dir conversations

chat: {split}.jsonl, one {"messages": [...]} per line (system, user, assistant), which trl's SFTTrainer reads. llava:
{split}.json, a list of {"id", "video", "conversations": [human, gpt]}, whose prompt begins with <video>; "video" is
the name of the corpus's clip, {utterance_id}.mp4 where it names none. Prompts are those that `train explain` makes
under the same options; items are the complete explanations, in the order in which they are scored.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from iemomecp_dataset.command_line import REQUIRED, flags_in_errors, option, read_options
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.options import DialogueConfig

if TYPE_CHECKING:
    from iemomecp_dataset.corpus import Corpus
    from iemomecp_dataset.trainers.explanation.items import Key
    from iemomecp_dataset.trainers.explanation.prompts import ExplanationItem

_SUFFIX = {"chat": "jsonl", "llava": "json"}


@dataclass(frozen=True)
class ConversationOptions:
    """Options of the command; those of prompts have the names and defaults of ``trainers/explain.py``."""

    data_dir: Path = option(REQUIRED, "folder of the corpus, as for load_dataset")
    output_dir: Path = option(REQUIRED, "folder to write to; files of the same names are replaced", written=True)
    config_name: DialogueConfig = option("ecem", "configuration of the corpus: ecem, ecgf, reccon")
    meld_root: Path | None = option(None, "ecem: MELD's CSV files, where they are not in --data_dir")
    ecf_root: Path | None = option(None, "ecem: folder of ECF's three files, whose cause turns are attached")
    ecf_map: Path | None = option(None, "ecem: ECF's map to MELD, if it is not in --ecf_root")
    format: Literal["chat", "llava"] = option(
        "chat", "chat: JSON lines of text alone; llava: JSON with a clip per item"
    )
    context_turns: int = option(3, "turns before the target", minimum=0)
    emotion: Literal["gold", "predicted", "none"] = option(
        "gold", "emotion of the target: gold, predicted (by --emotion_from), or none"
    )
    emotion_from: Path | None = option(
        None, "folder of a finished run that recognises the emotions, cross-fitted on train (--train_folds)"
    )
    causes: Literal["none", "gold", "predicted", "last", "shuffled"] = option(
        "none", "utterances that are marked as causes: gold, predicted (by --causes_from), last, shuffled, or none"
    )
    causes_from: Path | None = option(None, "folder of a finished run of a pair scorer that uses text alone")
    seed: int = option(42, "seed of shuffled marks", minimum=0, limit=2**32 - 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the files and prints how many conversations each has."""
    options = read_options(ConversationOptions, arguments, command="export", description=__doc__)
    for choice, folder in (("emotion", options.emotion_from), ("causes", options.causes_from)):
        asked = getattr(options, choice)
        if (asked == "predicted") != (folder is not None):
            raise UsageError(
                f"--{choice} predicted and --{choice}_from go together; found --{choice} {asked} "
                f"{'with' if folder else 'without'} --{choice}_from."
            )

    from iemomecp_dataset.corpus import load_corpus
    from iemomecp_dataset.files import atomic_write
    from iemomecp_dataset.trainers.explanation.items import check_gold_causes
    from iemomecp_dataset.trainers.explanation.options import check_marks_are_read

    check_marks_are_read(options.causes, options.context_turns)

    with flags_in_errors(ConversationOptions):
        corpus = load_corpus(
            options.config_name,
            options.data_dir,
            for_training=False,
            meld_root=options.meld_root,
            ecf_root=options.ecf_root,
            ecf_map=options.ecf_map,
        )
    items = _items(options, corpus)
    if not any(items.values()):
        corpus.require_explanations("Choose a corpus with written explanations: ecem, ecgf or reccon.")
    check_gold_causes(options.causes, options.context_turns, corpus.rows)
    print(corpus.statement)
    written = []
    # The files take their places together, at the end: a killed process leaves no splits of two exports.
    with contextlib.ExitStack() as files:
        for split, of_split in items.items():
            path = options.output_dir / f"{split}.{_SUFFIX[options.format]}"
            if not of_split:
                written.append(f"{split}: no complete explanation; {path} is not written")
                continue
            partial = files.enter_context(atomic_write(path))
            partial.write_text(_text(options.format, of_split, corpus.rows[split]), encoding="utf-8", newline="")
            written.append(f"{path}: {len(of_split)} conversations{_lacking(options, of_split)}")
    print("\n".join(written))
    if corpus.synthetic:
        print("The dialogues are SYNTHETIC: nothing measured on them says anything about a corpus.")
    else:
        print(
            f"The files hold utterances and explanations of {corpus.name}: its terms hold for them, too. Keep them to "
            "yourself."
        )


def _items(options: ConversationOptions, corpus: Corpus) -> dict[str, list[ExplanationItem]]:
    from iemomecp_dataset.trainers.explanation.items import explanation_items

    emotions: Mapping[Key, str] | None = None
    causes: Mapping[Key, Sequence[int]] | None = None
    if options.emotion_from or options.causes_from:
        # Imported late, as torch is needed to apply a trained model alone.
        from iemomecp_dataset.trainers.dialogue.emotion_inputs import read_emotion_inputs
        from iemomecp_dataset.trainers.explanation.inputs import named_emotions, predicted_causes

        if options.emotion_from:
            emotions = named_emotions(read_emotion_inputs(str(options.emotion_from), corpus), corpus)
        if options.causes_from:
            causes = predicted_causes(options.causes_from, corpus)
    return {
        split: explanation_items(
            rows,
            corpus.emotion_names,
            context_turns=options.context_turns,
            emotion=options.emotion,
            causes=options.causes,
            seed=options.seed,
            predicted_emotions=emotions,
            predicted_causes=causes,
        )
        for split, rows in corpus.rows.items()
    }


def _text(file_format: str, items: Sequence[ExplanationItem], rows: Sequence[Mapping[str, Any]]) -> str:
    """The content of a file."""
    from iemomecp_dataset.trainers.explanation.conversations import chat_conversation, llava_conversation

    if file_format == "chat":
        return "".join(json.dumps(chat_conversation(item), ensure_ascii=False) + "\n" for item in items)
    clips = {(row["dialogue_id"], u["turn"]): u.get("video") for row in rows for u in row["utterances"]}
    found = [llava_conversation(item, clips[item.dialogue_id, item.target_turn]) for item in items]
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def _lacking(options: ConversationOptions, items: Sequence[ExplanationItem]) -> str:
    """What was asked for and some items do not have."""
    counts = {}
    if options.emotion != "none":
        counts["without an emotion"] = sum(item.emotion is None for item in items)
    if options.causes != "none":
        counts["without a marked cause"] = sum(not any(item.marks) for item in items)
    if options.causes == "shuffled":
        counts["whose shuffled causes are the gold ones"] = sum(all(item.marks) for item in items)
    said = [f"{count} {what}" for what, count in counts.items() if count]
    return f" ({', '.join(said)})" if said else ""
