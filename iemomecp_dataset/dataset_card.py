"""Dataset cards in Hugging Face form: what the data is, its terms, its known issues, how to cite it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, fields

from iemomecp_dataset.corpora.emotion_inventory import COMMON_EMOTION_OF
from iemomecp_dataset.corpora.metadata import CORPORA, emotions_of_config, further_splits
from iemomecp_dataset.options import CONFIG_NAMES
from iemomecp_dataset.overlay.published import PUBLISHED_COUNTS, OverlayCounts
from iemomecp_dataset.rows import missing_texts_sentence
from iemomecp_dataset.schema import (
    COMMON_EMOTIONS,
    CONTEXT_SUBTYPES,
    EXPLANATION_STATUSES,
    IEMOCAP_EMOTIONS,
    PAIR_LABELS,
    ROLE_LABELS,
)

__all__ = ["CARD_FILE", "CARD_MARK", "CITATION", "TERMS", "parquet_card", "project_card"]

CITATION = """\
@article{pan2026notthesame,
  title   = {They Are Not the Same: Direct Causes Are Not Grounded Emotion Explanations},
  author  = {Pan and Xia and Chan},
  journal = {arXiv preprint arXiv:2605.25208},
  year    = {2026}
}
@article{busso2008iemocap,
  title   = {{IEMOCAP}: interactive emotional dyadic motion capture database},
  author  = {Busso, Carlos and Bulut, Murtaza and Lee, Chi-Chun and Kazemzadeh, Abe and Mower, Emily and Kim, Samuel
             and Chang, Jeannette N. and Lee, Sungbok and Narayanan, Shrikanth S.},
  journal = {Language Resources and Evaluation},
  volume  = {42}, number = {4}, pages = {335--359},
  year    = {2008}
}
@article{li2023ecpec,
  title   = {{ECPEC}: Emotion-Cause Pair Extraction in Conversations},
  author  = {Li, Wei and Li, Yang and Pandelea, Vlad and Ge, Mengshi and Zhu, Luyao and Cambria, Erik},
  journal = {IEEE Transactions on Affective Computing},
  volume  = {14}, number = {3}, pages = {1754--1765},
  year    = {2023}
}"""
"""The works to cite, as BibTeX."""

CARD_FILE = "README.md"
"""The name of a card, which ``load_dataset`` looks for."""

CARD_MARK = "pretty_name: IEMO-MECP"
"""Line of the metadata by which a card of ours is known."""

TERMS = (
    "IEMOCAP is licensed to each user by the University of Southern California and may not be redistributed; the label "
    "overlay is for non-commercial research. A merged copy contains IEMOCAP's text, so only licensees may have it: do "
    "not upload it."
)

_SYNTHETIC = (
    "**This copy is SYNTHETIC: a program wrote it. It contains nothing of IEMOCAP, and scores on it say nothing about "
    "models.**"
)

_SCHEMA = f"""\
One row is one chunk of a dialogue (in the other corpora one dialogue). Turns are 1-based within the row.

| column | type | meaning |
|---|---|---|
| `dialogue_id`, `source_dialogue_id` | string | the row, and the dialogue that it is a chunk of |
| `chunk_index`, `session` | int32 | number of the chunk, IEMOCAP session; -1 if there is none |
| `utterances` | list | `turn`, `source_turn`, `utterance_id`, `speaker`, `text`, `emotion`, `start` and \
`end` in seconds, `wav` and `video` paths (in the other corpora `video` is the name of the clip, \
where the files state it, in `meld` the path of the clip where it is there) |
| `pairs` | list | every candidate, in (target, cause) order: `target_turn`, `cause_turn`, `label`, `source_pair`, \
`context_subtypes`, `taxonomy_label`, `label_source`; empty in `meld`, `iemocap` and `ecem`, which label no pairs |
| `explanations` | list | `target_turn`, `text` (why the speaker feels the emotion of that turn), `status`, and \
`cause_turns` where gold causes are known; filled in `ecem`, `ecgf` and `reccon` alone |

* `label`: {", ".join(ROLE_LABELS)} in `3class`; {", ".join(PAIR_LABELS)} in `source_binary` and the other corpora. \
Class 0 is the positive one.
* `emotion`: {", ".join(IEMOCAP_EMOTIONS)} in the configurations of IEMO-MECP and in `iemocap`; every other corpus \
has names of its own. With `emotions="common"` all have the same, and `emotion_source`, beside `emotion`, is the \
corpus's own label.
* `context_subtypes`, on `emo_context` alone: {", ".join(CONTEXT_SUBTYPES)}.
* `status` of an explanation: {", ".join(EXPLANATION_STATUSES)}.
* `source_pair` is the ConvECPE label, for forward pairs too, whatever `label` is."""

_ISSUES = """\
* 42 % of the `emo_cause` labels (3,631 of 8,635) come from language-model passes alone, without a human row; \
`label_source` says which.
* 82 % of all pairs (70,649 of 86,075) are `default_non_pair`: they were not annotated one by one.
* Contexts were deleted late (`human_refine` files), and unequally over the splits: 332 pairs became `non_pair` in \
test, 36 in validation, none in train.
* `source_binary` as published labels the 221 forward pairs `non_pair`, which loses true positives (1,868 become \
1,832 in test). `forward_pairs="gold"` keeps them. Scores on the two are not comparable.
* A fixed rule on turns alone (`0-1 cause, 2-3 context`) beats every published lightweight baseline: report structural \
baselines."""

_FURTHER_SPLITS = """\
Splits are `train`, `validation` and `test`. `reccon` has a further one, `test_iemocap`, where `iemocap_test.json` is \
in the folder: dialogues of IEMOCAP, whose texts stay with the holders of its licence. Its emotions are IEMOCAP's, so \
that `emotion` of all splits then has the further names `excitement`, `frustration` and `other`, after those of \
DailyDialog; labels that annotators did not agree on (`xxx`) are null and counted. It is never taken for `test`: \
trainers and the comparison of splits leave it out, and `load("reccon", data_dir=..., split="test_iemocap")` gives \
it."""


def project_card() -> str:
    """Writes the card of the project's documentation.

    Returns:
        Markdown with a metadata header.
    """
    header = ["language:", "- en", "- zh", f"{CARD_MARK} and other emotion-cause corpora"]
    corpora = ["| config | corpus | language | licence | how to obtain |", "|---|---|---|---|---|"]
    for corpus in CORPORA.values():
        note = "" if corpus.verified else " (reader written from its description, without a genuine file)"
        cells = (f"`{corpus.name}`", f"{corpus.title}{note}", corpus.language, corpus.license, corpus.how_to_obtain)
        corpora.append(f"| {' | '.join(cells)} |")
    intro = (
        "This package ships code and no data. It merges files that you have into one schema:\n\n```python\n"
        "import iemomecp_dataset\nfrom datasets import load_dataset\n"
        'dataset = load_dataset("iemomecp", data_dir="local_data")\n```'
    )
    extra = "\n\n".join(
        ["## Other corpora in the same schema", "\n".join(corpora), _FURTHER_SPLITS, _common_emotions()]
    )
    return _card(header, "IEMO-MECP", intro, extra)


def _common_emotions() -> str:
    """The section on ``emotions="common"``: the map, by common emotion."""
    table = ["| id | common emotion | label of the corpora |", "|---|---|---|"]
    for number, common in enumerate(COMMON_EMOTIONS):
        configs: dict[str, list[str]] = {}
        for name in CONFIG_NAMES:
            for label in emotions_of_config(name, splits=further_splits(name)):
                if COMMON_EMOTION_OF[label] == common:
                    configs.setdefault(label, []).append(f"`{name}`")
        labels = "; ".join(f"`{label}` ({', '.join(names)})" for label, names in configs.items())
        table.append(f"| {number} | {common} | {labels} |")
    return (
        '## Common emotions\n\nWith `emotions="common"` every configuration has these emotions, in this order, so that '
        "`datasets.concatenate_datasets` and `interleave_datasets` take rows of all corpora that have the same pair "
        "classes; `3class` and `overlay` join the others without their column `pairs`. Utterances keep the corpus's "
        "own label as `emotion_source`.\n\n" + "\n".join(table) + "\n\n"
        "An utterance whose emotion is not known (all of `overlay`; no annotation, or annotators who did not agree) "
        "has null in both; the loader says how many there are. `excitement`, `frustration` and `other` of `reccon` are "
        "in its split `test_iemocap` alone. `emotional` of `mec4` states that there is an emotion, and not which. The "
        "same name need not mean the same judgement: 17.7 % of the utterances that ECF and MELD share have another "
        "emotion in the other corpus."
    )


def parquet_card(
    paths: Mapping[str, Mapping[str, str]],
    rows: Mapping[str, Mapping[str, int]],
    *,
    synthetic: bool,
    missing_texts: int = 0,
) -> str:
    """Writes the card of a folder of Parquet files.

    Args:
        paths: Files by configuration and split, the default configuration first.
        rows: Number of rows, likewise.
        synthetic: Whether the data is synthetic.
        missing_texts: Utterances that IEMOCAP's transcripts lack, which have ConvECPE's text.

    Returns:
        Markdown with a metadata header that maps configurations and splits to files for ``load_dataset``.
    """
    header = ["language:", "- en", f"{CARD_MARK}{' (SYNTHETIC)' if synthetic else ''}", "configs:"]
    counts = ["| config | split | rows |", "|---|---|---|"]
    for position, (name, splits) in enumerate(paths.items()):
        header += [f"- config_name: {name}", *(["  default: true"] if position == 0 else []), "  data_files:"]
        for split, path in splits.items():
            header += [f"  - split: {split}", f"    path: {path}"]
            counts.append(f"| {name} | {split} | {rows[name][split]} |")
    intro = (
        f"{_SYNTHETIC if synthetic else 'Merged from IEMOCAP, ConvECPE and the label overlay.'}"
        f"{missing_texts_sentence(missing_texts)}\n\n"
        "`load_dataset` reads this folder as it is.\n\n" + "\n".join(counts)
    )
    return _card(header, f"IEMO-MECP{' (SYNTHETIC)' if synthetic else ''}", intro, "")


def _card(header: list[str], title: str, intro: str, extra: str) -> str:
    front = [
        "---",
        "license: other",
        "license_name: research-only",
        *header,
        "task_categories:",
        "- text-classification",
        "tags:",
        "- emotion-cause-pair-extraction",
        "- conversation",
        "- multimodal",
        "---",
    ]
    columns = [field.name for field in fields(OverlayCounts)]
    table = [f"| split | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    table += [f"| {split} | {' | '.join(map(str, astuple(line)))} |" for split, line in PUBLISHED_COUNTS.items()]
    parts = [
        "\n".join(front),
        f"# {title}",
        intro,
        "## Schema\n\n" + _SCHEMA,
        "## Published counts of IEMO-MECP\n\n" + "\n".join(table),
        "## Terms\n\n" + TERMS,
        "## Known issues of the labels\n\n" + _ISSUES,
        extra,
        "## How to cite\n\n```bibtex\n" + CITATION + "\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
