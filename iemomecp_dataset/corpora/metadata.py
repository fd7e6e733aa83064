"""What is known of each corpus: licence, origin, files, published counts. Docs, errors and tests read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from iemomecp_dataset.errors import UsageError, did_you_mean

__all__ = ["CORPORA", "CorpusMetadata", "SplitCounts", "corpus_metadata"]


@dataclass(frozen=True)
class SplitCounts:
    """Counts of one split, as they must come out of the reader.

    Attributes:
        dialogues: Dialogues.
        utterances: Utterances.
        gold_pairs: Distinct gold pairs.
        forward: Gold pairs whose cause comes after the target.
        self_pairs: Gold pairs of an utterance with itself.
        emotional: Utterances whose emotion is not neutral.
        emotional_with_cause: Of these, utterances that are the target of a gold pair.
        longest: Utterances of the longest dialogue.
    """

    dialogues: int
    utterances: int
    gold_pairs: int
    forward: int
    self_pairs: int
    emotional: int
    emotional_with_cause: int
    longest: int


@dataclass(frozen=True)
class CorpusMetadata:
    """One corpus.

    Attributes:
        name: Configuration name.
        title: Full name.
        language: BCP 47 tag.
        licence: Licence of the annotations, as far as it is stated.
        citation: The work to cite.
        url: Where the corpus lives.
        how_to_obtain: One sentence for people who do not have it.
        emotions: Emotion names by id; the neutral one first.
        split_files: Accepted file names by split, best first.
        published: Counts by split, recomputed from the published files.
        latent_causes: Causes outside the dialogue by split; they are no pairs, and are counted.
        verified: Whether the format was checked against genuine files.
    """

    name: str
    title: str
    language: str
    licence: str
    citation: str
    url: str
    how_to_obtain: str
    emotions: tuple[str, ...]
    split_files: Mapping[str, tuple[str, ...]]
    published: Mapping[str, SplitCounts] = field(default_factory=dict)
    latent_causes: Mapping[str, int] = field(default_factory=dict)
    verified: bool = True


def corpus_metadata(name: str) -> CorpusMetadata:
    """Looks a corpus up.

    Args:
        name: Configuration name, such as ``ecf``.

    Returns:
        Its record.

    Raises:
        UsageError: There is no such corpus.

    Example:
        >>> corpus_metadata("ecf").emotions[:3]
        ('neutral', 'joy', 'surprise')
    """
    if name not in CORPORA:
        raise UsageError(f"There is no corpus {name!r}. {did_you_mean(name, CORPORA)}")
    return CORPORA[name]


CORPORA: Mapping[str, CorpusMetadata] = {
    "ecf": CorpusMetadata(
        name="ecf",
        title="Emotion-Cause-in-Friends (ECF)",
        language="en",
        licence="GPL-3.0, research purposes only",
        citation=(
            "Wang, Ding, Xia, Li, Yu (2023): Multimodal Emotion-Cause Pair Extraction in Conversations. "
            "IEEE Transactions on Affective Computing 14(3), 1832-1844"
        ),
        url="https://github.com/NUSTM/MECPE",
        how_to_obtain=(
            "download train.txt, dev.txt and test.txt from the folder data/ of https://github.com/NUSTM/MECPE, "
            "or the SemEval-2024 Task 3 JSON files of ECF 2.0"
        ),
        emotions=("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear"),
        split_files={
            "train": ("train.txt", "Subtask_2_train.json", "Subtask_1_train.json", "train.json"),
            "validation": (
                "dev.txt",
                "valid.txt",
                "validation.txt",
                "Subtask_2_dev.json",
                "Subtask_1_dev.json",
                "dev.json",
                "valid.json",
                "validation.json",
            ),
            "test": ("test.txt", "Subtask_2_test.json", "Subtask_1_test.json", "test.json"),
        },
        published={
            "train": SplitCounts(1001, 9966, 7055, 276, 3520, 5577, 5123, 26),
            "validation": SplitCounts(112, 1087, 866, 24, 415, 668, 614, 22),
            "test": SplitCounts(261, 2566, 1873, 80, 957, 1445, 1344, 33),
        },
    ),
}
