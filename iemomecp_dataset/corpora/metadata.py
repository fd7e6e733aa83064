"""Metadata of each corpus: licence, origin, files and published counts, for documentation, errors and tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.schema import COMMON_EMOTIONS, IEMOCAP_EMOTIONS, PAIR_LABELS, ROLE_LABELS, SPLITS

__all__ = [
    "CORPORA",
    "IEMOMECP",
    "CorpusMetadata",
    "EmotionCounts",
    "SplitCounts",
    "corpus_metadata",
    "corpus_of_config",
    "default_definition",
    "emotion_aliases",
    "emotions_of_config",
    "further_splits",
    "pair_classes",
]

IEMOMECP = "iemomecp"
"""Name of the corpus that the configurations ``3class``, ``source_binary`` and ``overlay`` are of."""


@dataclass(frozen=True)
class SplitCounts:
    """Counts of one split that the reader must reproduce.

    Attributes:
        dialogues: Number of dialogues.
        utterances: Number of utterances.
        gold_pairs: Number of distinct gold pairs.
        forward: Gold pairs whose cause comes after the target.
        self_pairs: Gold pairs of an utterance with itself.
        emotional: Non-neutral utterances.
        emotional_with_cause: Non-neutral utterances that are the target of a gold pair.
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
class EmotionCounts:
    """Counts of the emotions of one split, or of several together, that the reader must reproduce.

    Attributes:
        dialogues: Number of dialogues.
        by_emotion: Number of utterances by emotion id.
    """

    dialogues: int
    by_emotion: tuple[int, ...]

    @property
    def utterances(self) -> int:
        """Number of utterances."""
        return sum(self.by_emotion)


@dataclass(frozen=True)
class CorpusMetadata:
    """Metadata of one corpus.

    Attributes:
        name: Configuration name.
        title: Full name.
        language: BCP 47 tag.
        license: Licence of the annotations, as far as it is stated.
        citation: The work to cite.
        url: Home of the corpus.
        how_to_obtain: One sentence on how to obtain the files.
        emotions: Emotion names by id, in the corpus's own order.
        split_files: Accepted file names by split, in order of preference.
        further_files: Accepted file names of splits beside train, validation and test, by name. Such a split is loaded
            where its file is there; nothing is trained, selected or scored on it unless it is named.
        further_emotions: Emotions of these splits alone; their ids follow those of ``emotions``.
        published: Counts by split, recomputed from the published files.
        published_emotions: Dialogues and utterances by emotion, of a split, or of several joined by ``+`` where the
            division among them is this package's option.
        latent_causes: Causes outside the dialogue by split; they give no pair, and are counted.
        utterance_ids: Format of the utterance ids, equal in every layout of the corpus, such as
            ``dia{dialogue}utt{turn}``; empty where files name utterances themselves.
        origin: Corpus that it was built on; empty for none. Their splits can share utterances.
        origin_map: Name of the authors' file that maps its utterances to those of ``origin``, see
            :func:`~iemomecp_dataset.corpora.utterance_map.read_utterance_map`; empty where rows carry the ids of
            ``origin`` themselves.
        verified: Whether the reader was checked on genuine files.
        has_pairs: Whether it labels cause pairs; without, ``pairs`` of every row is empty.
        has_emotions: Whether it labels emotions; without, they are derived from the pairs and cannot be learned.
        has_explanations: Whether it has written explanations of emotions.
        labels_later_causes: Whether annotators were asked for causes after their target; without, pairs with a later
            cause are unlabelled rather than known to be none.
        blobs: Git blob ids of the released files by name, or their first digits where only these are known; empty
            where the package fetches none.
        base_url: URL of the folder that these files are fetched from.
    """

    name: str
    title: str
    language: str
    license: str
    citation: str
    url: str
    how_to_obtain: str
    emotions: tuple[str, ...]
    split_files: Mapping[str, tuple[str, ...]]
    further_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    further_emotions: tuple[str, ...] = ()
    published: Mapping[str, SplitCounts] = field(default_factory=dict)
    published_emotions: Mapping[str, EmotionCounts] = field(default_factory=dict)
    latent_causes: Mapping[str, int] = field(default_factory=dict)
    utterance_ids: str = ""
    origin: str = ""
    origin_map: str = ""
    verified: bool = True
    has_pairs: bool = True
    has_emotions: bool = True
    has_explanations: bool = False
    labels_later_causes: bool = True
    blobs: Mapping[str, str] = field(default_factory=dict)
    base_url: str = ""

    def emotions_of(self, splits: Iterable[str]) -> tuple[str, ...]:
        """Lists the emotions of some splits loaded together.

        Args:
            splits: Their names.

        Returns:
            Emotion names by id.

        Example:
            >>> CORPORA["reccon"].emotions_of(["train", "test"])[-2:]
            ('disgust', 'fear')
            >>> CORPORA["reccon"].emotions_of(["train", "test_iemocap"])[-4:]
            ('fear', 'excitement', 'frustration', 'other')
        """
        further = any(split in self.further_files for split in splits)
        return (*self.emotions, *self.further_emotions) if further else self.emotions

    def utterance_id(self, dialogue_id: str, turn: int, stated: object = None) -> str:
        """Names an utterance.

        Args:
            dialogue_id: Id of its dialogue.
            turn: Its 1-based turn.
            stated: The name that the file states, if it does; used unless the corpus has a format of its own.

        Returns:
            The id.

        Example:
            >>> CORPORA["ecf"].utterance_id("7", 1, "S01E01_1"), CORPORA["mecad"].utterance_id("d", 1, "own_1")
            ('dia7utt1', 'own_1')
            >>> CORPORA["reccon"].utterance_id("tr_1", 2)
            'tr_1_2'
        """
        if not self.utterance_ids and isinstance(stated, str) and stated:
            return stated
        return (self.utterance_ids or "{dialogue}_{turn}").format(dialogue=dialogue_id, turn=turn)


def corpus_metadata(name: str) -> CorpusMetadata:
    """Looks up the metadata of a corpus.

    Args:
        name: Configuration name, such as ``ecf``.

    Returns:
        Its metadata.

    Raises:
        UsageError: The name is unknown.

    Example:
        >>> corpus_metadata("ecf").emotions[:3]
        ('neutral', 'joy', 'surprise')
    """
    if name not in CORPORA:
        raise UsageError(f"There is no corpus {name!r}. {did_you_mean(name, CORPORA)}")
    return CORPORA[name]


def corpus_of_config(config_name: str) -> str:
    """Names the corpus of a configuration.

    Args:
        config_name: Configuration name.

    Returns:
        :data:`IEMOMECP` for its three configurations; other configurations are called as their corpus.

    Example:
        >>> corpus_of_config("3class"), corpus_of_config("ecf")
        ('iemomecp', 'ecf')
    """
    return IEMOMECP if config_name in _IEMOMECP_CLASSES else config_name


def pair_classes(config_name: str) -> tuple[str, ...]:
    """Lists the pair classes of a configuration.

    Args:
        config_name: Configuration name.

    Returns:
        Class names by id; class 0 is the positive one.

    Example:
        >>> pair_classes("overlay"), pair_classes("ecf")
        (('emo_cause', 'emo_context', 'non_pair'), ('pair', 'non_pair'))
    """
    return _IEMOMECP_CLASSES.get(config_name, PAIR_LABELS)


def default_definition(corpus: str) -> str:
    """Chooses the definition of Pair F1 that a corpus is scored by unless another is asked for.

    Args:
        corpus: Name of the corpus.

    Returns:
        ``F`` (classification on a fixed candidate list) for IEMO-MECP, whose candidate list is part of the task; ``A``
        (set micro F1 over all gold pairs) for the others.

    Example:
        >>> default_definition("iemomecp"), default_definition("ecf")
        ('F', 'A')
    """
    return "F" if corpus == IEMOMECP else "A"


def emotions_of_config(config_name: str, emotions: str = "corpus", splits: Iterable[str] = ()) -> tuple[str, ...]:
    """Lists the emotions of a configuration.

    Args:
        config_name: Configuration name.
        emotions: Option of the loader: ``corpus``, or ``common``.
        splits: Splits that are loaded; those beside train, validation and test can have further emotions.

    Returns:
        Emotion names by id.

    Example:
        >>> emotions_of_config("3class"), emotions_of_config("mecad")[:2]
        (('hap', 'sad', 'neu', 'ang', 'exc', 'fru'), ('neutral', 'happy'))
        >>> emotions_of_config("mecad", "common")[:3]
        ('neutral', 'joy', 'excitement')
    """
    if emotions == "common":
        return COMMON_EMOTIONS
    if corpus_of_config(config_name) == IEMOMECP:
        return IEMOCAP_EMOTIONS
    return corpus_metadata(config_name).emotions_of(splits)


def further_splits(config_name: str) -> tuple[str, ...]:
    """Lists the splits that a configuration can have beside train, validation and test.

    Args:
        config_name: Configuration name, or what rows in memory are called.

    Returns:
        Their names.

    Example:
        >>> further_splits("reccon"), further_splits("3class")
        (('test_iemocap',), ())
    """
    return tuple(CORPORA[config_name].further_files) if config_name in CORPORA else ()


def emotion_aliases(emotions: Iterable[str]) -> dict[str, str]:
    """Lists the words that other systems write for the emotions of a corpus.

    Args:
        emotions: The corpus's own names. A word belongs to the first of them that means the same.

    Returns:
        The corpus's name by each word in lower case, the names themselves included.

    Example:
        >>> aliases = emotion_aliases(["neutral", "joy", "anger"])
        >>> aliases["happy"], aliases["angry"], aliases["joy"], "sad" in aliases
        ('joy', 'anger', 'joy', False)
        >>> emotion_aliases(["hap", "exc"])["excited"]
        'exc'
    """
    found: dict[str, str] = {name.lower(): name for name in emotions}
    for words in _EMOTION_WORDS:
        name = next((found[word] for word in words if word in found), None)
        if name is not None:
            found |= {word: name for word in words if word not in found}
    return found


_EMOTION_WORDS = (
    ("excitement", "exc", "excited"),
    ("joy", "happiness", "hap", "happy", "happines", "joyful"),
    ("sadness", "sad"),
    ("anger", "ang", "angry", "mad"),
    ("surprise", "surprised"),
    ("disgust", "disgusted"),
    ("fear", "fearful", "afraid", "scared"),
    ("frustration", "fru", "frustrated"),
    ("neutral", "neu"),
)
"""Words that mean one emotion."""

_IEMOMECP_CLASSES = {"3class": ROLE_LABELS, "overlay": ROLE_LABELS, "source_binary": PAIR_LABELS}

CORPORA: Mapping[str, CorpusMetadata] = {
    "ecf": CorpusMetadata(
        name="ecf",
        title="Emotion-Cause-in-Friends (ECF)",
        language="en",
        license="GPL-3.0, research purposes only",
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
            "train": (
                "train.txt",
                "Subtask_2_train.json",
                "Subtask_1_train.json",
                "train.json",
                "train_data_pair.json",
            ),
            "validation": (
                "dev.txt",
                "valid.txt",
                "validation.txt",
                "Subtask_2_dev.json",
                "Subtask_1_dev.json",
                "dev.json",
                "valid.json",
                "validation.json",
                "valid_data_pair.json",
            ),
            "test": ("test.txt", "Subtask_2_test.json", "Subtask_1_test.json", "test.json", "test_data_pair.json"),
        },
        published={
            "train": SplitCounts(1001, 9966, 7055, 276, 3520, 5577, 5123, 26),
            "validation": SplitCounts(112, 1087, 866, 24, 415, 668, 614, 22),
            "test": SplitCounts(261, 2566, 1873, 80, 957, 1445, 1344, 33),
        },
        utterance_ids="dia{dialogue}utt{turn}",
        origin="meld",
        origin_map="all_data_pair_ECFvsMELD.txt",
    ),
    "mecad": CorpusMetadata(
        name="mecad",
        title="MECAD",
        language="zh",
        license="none stated",
        citation=(
            "Liang, Shen, Chen, Zhang (2025): M3HG: Multimodal, Multi-scale, and Multi-type Node Heterogeneous Graph "
            "for Emotion Cause Triplet Extraction in Conversations. arXiv 2508.18740"
        ),
        url="https://github.com/redifinition/M3HG",
        how_to_obtain=(
            "download train_data_pair.json, valid_data_pair.json and test_data_pair.json from the folder "
            "data/MECAD/ of https://github.com/redifinition/M3HG"
        ),
        emotions=("neutral", "happy", "surprise", "anger", "sad", "disgust", "fear"),
        split_files={
            "train": ("train_data_pair.json",),
            "validation": ("valid_data_pair.json", "dev_data_pair.json"),
            "test": ("test_data_pair.json",),
        },
        published={
            "validation": SplitCounts(126, 1168, 977, 34, 381, 744, 743, 19),
            "test": SplitCounts(179, 1832, 1312, 62, 576, 1072, 1062, 32),
        },
    ),
    "mec4": CorpusMetadata(
        name="mec4",
        title="MEC4",
        language="zh",
        license="unknown",
        citation="unknown: the reader was not verified on genuine files; cite the paper that came with your copy",
        url="",
        how_to_obtain="ask its authors for the folder MEC4_text with train.json, valid.json and test.json",
        # The files label no emotions; targets of gold pairs count as emotional.
        emotions=("neutral", "emotional"),
        split_files={
            "train": ("MEC4_text/train.json", "train.json"),
            "validation": ("MEC4_text/valid.json", "MEC4_text/dev.json", "valid.json", "dev.json"),
            "test": ("MEC4_text/test.json", "test.json"),
        },
        verified=False,
        has_emotions=False,
    ),
    "reccon": CorpusMetadata(
        name="reccon",
        title="RECCON-DailyDialog",
        language="en",
        license=(
            "none stated for the annotations; DailyDialog: CC BY-NC-SA 4.0; test_iemocap has texts of IEMOCAP, which "
            "may not be passed on"
        ),
        citation=(
            "Poria et al. (2021): Recognizing Emotion Cause in Conversations. Cognitive Computation 13, 1317-1332. "
            "arXiv 2012.11820"
        ),
        url="https://github.com/declare-lab/RECCON",
        how_to_obtain=(
            "download dailydialog_train.json, dailydialog_valid.json and dailydialog_test.json from the folder "
            "data/original_annotation/ of https://github.com/declare-lab/RECCON; holders of a licence of IEMOCAP also "
            "iemocap_test.json, which is loaded as the split test_iemocap"
        ),
        emotions=("neutral", "happiness", "surprise", "anger", "sadness", "disgust", "fear"),
        split_files={
            "train": ("dailydialog_train.json", "train_data_pair.json"),
            "validation": ("dailydialog_valid.json", "valid_data_pair.json"),
            "test": ("dailydialog_test.json", "test_data_pair.json"),
        },
        further_files={"test_iemocap": ("iemocap_test.json",)},
        further_emotions=("excitement", "frustration", "other"),
        published={
            "train": SplitCounts(834, 8206, 7029, 2, 2575, 4562, 4399, 31),
            "validation": SplitCounts(47, 493, 328, 0, 127, 200, 196, 22),
            "test": SplitCounts(225, 2405, 1767, 0, 668, 1099, 1075, 23),
        },
        latent_causes={"train": 359, "validation": 5, "test": 39},
        has_explanations=True,
        # Causes were looked for in the target and what precedes it.
        labels_later_causes=False,
    ),
    "meld": CorpusMetadata(
        name="meld",
        title="MELD",
        language="en",
        license="GPL-3.0; the transcripts of Friends are copyrighted",
        citation=(
            "Poria, Hazarika, Majumder, Naik, Cambria, Mihalcea (2019): MELD: A Multimodal Multi-Party Dataset for "
            "Emotion Recognition in Conversations. ACL 2019, 527-536"
        ),
        url="https://github.com/declare-lab/MELD",
        how_to_obtain=(
            "download train_sent_emo.csv, dev_sent_emo.csv and test_sent_emo.csv from the folder data/MELD/ of "
            "https://github.com/declare-lab/MELD, or `iemomecp fetch --corpus meld --output-dir DIR`"
        ),
        emotions=("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"),
        split_files={
            "train": ("train_sent_emo.csv", "data/MELD/train_sent_emo.csv"),
            "validation": ("dev_sent_emo.csv", "data/MELD/dev_sent_emo.csv"),
            "test": ("test_sent_emo.csv", "data/MELD/test_sent_emo.csv"),
        },
        published={
            "train": SplitCounts(1038, 9989, 0, 0, 0, 5279, 0, 24),
            "validation": SplitCounts(114, 1109, 0, 0, 0, 639, 0, 23),
            "test": SplitCounts(280, 2610, 0, 0, 0, 1354, 0, 33),
        },
        published_emotions={
            "train": EmotionCounts(1038, (4710, 1205, 268, 683, 1743, 271, 1109)),
            "validation": EmotionCounts(114, (470, 150, 40, 111, 163, 22, 153)),
            "test": EmotionCounts(280, (1256, 281, 50, 208, 402, 68, 345)),
        },
        has_pairs=False,
        blobs={
            "train_sent_emo.csv": "b91dbd634693608a8e77a00d9256ae9cbb51bc43",
            "dev_sent_emo.csv": "91dd39cd4a10a53eda3c8aaf1955d3eae795ae52",
            # Only the first digits of this id are published: a check against accidents, not against forgery.
            "test_sent_emo.csv": "357d4a5f",
        },
        # A branch, so that it may move: the blob ids pin the content.
        base_url="https://raw.githubusercontent.com/declare-lab/MELD/master/data/MELD",
    ),
    "iemocap": CorpusMetadata(
        name="iemocap",
        title="IEMOCAP with the emotions of ConvECPE",
        language="en",
        license="IEMOCAP: on request, may not be passed on; ConvECPE: none stated",
        citation=(
            "Busso et al. (2008): IEMOCAP: interactive emotional dyadic motion capture database. Language Resources "
            "and Evaluation 42(4), 335-359; Li et al. (2023): ECPEC: Emotion-Cause Pair Extraction in Conversations. "
            "IEEE Transactions on Affective Computing 14(3), 1754-1765"
        ),
        url="https://sail.usc.edu/iemocap/",
        how_to_obtain=(
            "clone the ECPEC repository of the ConvECPE authors (https://github.com/SenticNet/ECPEC) as ECPEC/; for "
            "times and media, request the release from https://sail.usc.edu/iemocap/ as IEMOCAP/"
        ),
        emotions=IEMOCAP_EMOTIONS,
        # One pickle has every split.
        split_files=dict.fromkeys(SPLITS, ("ECPEC/Dataset/IEMOCAP_emotion_cause_features.pkl",)),
        published_emotions={
            "train+validation": EmotionCounts(120, (504, 839, 1324, 933, 742, 1468)),
            "test": EmotionCounts(31, (144, 245, 384, 170, 299, 381)),
        },
        # The dialogues of IEMO-MECP, whole, under the same ids.
        origin=IEMOMECP,
        verified=False,
        has_pairs=False,
    ),
    "ecem": CorpusMetadata(
        name="ecem",
        title="ECEM (explanations of the emotions of MELD)",
        language="en",
        license="none stated: the file is yours, and may not be passed on; the dialogues are those of MELD",
        citation=(
            "Wang, Yang, Feng, Wang, Zhang, Zhang (2025): Generative Emotion Cause Explanation in Multimodal "
            "Conversations. ICMR 2025, doi 10.1145/3731715.3733348; and MELD"
        ),
        url="https://github.com/3222345200/ECEMdataset",
        how_to_obtain=(
            "download train_data_just_reason.json from https://github.com/3222345200/ECEMdataset (commit 8ed4e50), and "
            "put train_sent_emo.csv and test_sent_emo.csv of MELD beside it (or name their folder by meld_root=; "
            "`iemomecp fetch --corpus meld --output-dir DIR`)"
        ),
        # The order of MELD, whose rows these are.
        emotions=("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"),
        # One file has every split; which one an item is of follows from its dialogue.
        split_files=dict.fromkeys(SPLITS, ("train_data_just_reason.json",)),
        # Of meld-prefix, dialogues with a complete explanation; those of test were not counted.
        published={
            "train": SplitCounts(755, 8209, 0, 0, 0, 4520, 0, 24),
            "validation": SplitCounts(86, 914, 0, 0, 0, 466, 0, 23),
        },
        origin="meld",
        has_pairs=False,
        has_explanations=True,
        blobs={"train_data_just_reason.json": "5a71a7c6b6388ac3e47fa036807ea83939bc04b7"},
    ),
    "ecgf": CorpusMetadata(
        name="ecgf",
        title="ECGF (abstractive causes of the emotions of ECF)",
        language="en",
        license="GPL-3.0",
        citation=(
            "Wang et al. (2024): Multimodal Emotion Cause Generation in Conversations (ECGF). ACM Multimedia 2024; and "
            "ECF"
        ),
        url="https://huggingface.co/datasets/NUSTM/ECGF",
        how_to_obtain=(
            "download train.json, dev.json and test.json of the dataset NUSTM/ECGF on the Hugging Face Hub "
            "(https://huggingface.co/datasets/NUSTM/ECGF)"
        ),
        emotions=("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear"),
        split_files={
            "train": ("train.json",),
            "validation": ("dev.json", "valid.json", "validation.json"),
            "test": ("test.json",),
        },
        utterance_ids="dia{dialogue}utt{turn}",
        # The conversations of ECF, under the same numbers.
        origin="ecf",
        verified=False,
        has_pairs=False,
        has_explanations=True,
    ),
}
