"""Every option of making a face table or a store of face vectors, typed, with its default and help text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from iemomecp_dataset.command_line import check_values, option
from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.options import DialogueConfig

__all__ = ["FaceOptions"]

_TOOL = "files of a face tool"
_OWN = "detector and DDAMFN"
_CORPUS = "corpus"


@dataclass(frozen=True)
class FaceOptions:
    """One table of faces, or store of face vectors, or both."""

    files: tuple[str, ...] = option((), "CSV files of --import_from", positional=True, metavar="FILE")
    output_file: str | None = option(None, "face table to write, Parquet", metavar="FILE", written=True)
    vectors_dir: str | None = option(
        None, "with --detector: store to write, one vector of 512 numbers per track", metavar="FOLDER", written=True
    )
    import_from: Literal["py-feat", "deepface", "openface", "emotiefflib"] | None = option(
        None, "read the CSV files of this tool", group=_TOOL
    )
    frames_per_second: float | None = option(
        None,
        "frame rate of the clips, where the files number frames and have no times",
        above=0.0,
        limit=1e6,
        group=_TOOL,
    )
    ignore: tuple[str, ...] = option((), "columns to leave out, beyond those that are known", metavar="COLUMN",
                                     group=_TOOL)  # fmt: skip
    detector: str | None = option(
        None,
        "a function of yours, from an RGB image to a list of Face; its module is looked for in the current folder, too",
        metavar="MODULE:FUNCTION",
        group=_OWN,
    )
    ddamfn: str | None = option(None, "checkpoint of DDAMFN, read as tensors alone", metavar="CHECKPOINT", group=_OWN)
    class_order: tuple[str, ...] = option(
        (),
        "the emotions that are its classes, in the order of the class folders that it was trained on",
        metavar="CLASS",
        group=_OWN,
    )
    mapping: str | None = option(
        None, "JSON file {name here: name in the checkpoint}, where names of tensors differ", metavar="FILE", group=_OWN
    )
    max_frames: int = option(
        16,
        "largest number of frames of a clip, at the middles of as many equal segments",
        minimum=1,
        limit=1_000_000,
        group=_OWN,
    )
    min_score: float = option(0.5, "smallest confidence of a face", minimum=0.0, maximum=1.0, group=_OWN)
    device: str = option("auto", "of DDAMFN: auto, cpu, cuda, cuda:1, mps", group=_OWN)
    allow_missing: bool = option(
        False, "write even if more than 1 % of the clips are missing or unreadable", group=_OWN
    )
    retry_missing: bool = option(
        False, "of a run that was refused: examine the missing clips again, once they are repaired", group=_OWN
    )
    quiet: bool = option(False, "no progress bar", group=_OWN)
    data_dir: str | None = option(
        None,
        "folder of the corpus, as for load_dataset. Without it, the names of clips in imported files are utterance ids",
        group=_CORPUS,
    )
    config_name: DialogueConfig = option("ecem", "configuration of the corpus", group=_CORPUS)  # type: ignore[arg-type, unused-ignore]
    media_dir: str | None = option(None, "folder of the clips of a corpus that names none", group=_CORPUS)
    media_pattern: str | None = option(
        None,
        "file of an utterance within --media_dir, with {utterance_id}, {dialogue_id}, {turn}, {speaker}, {split} "
        "(default: {utterance_id}.mp4; mec4: {dialogue_id}.mp4)",
        group=_CORPUS,
    )
    limit: int | None = option(None, "only the first N utterances", minimum=1, group=_CORPUS)

    def check(self) -> None:
        """Refuses values that do not fit, and options that cannot work together.

        Raises:
            UsageError: Says which, and the way out.
        """
        check_values(self)
        if (self.import_from is None) == (self.detector is None):
            raise UsageError(
                "Give one source of faces: --import_from TOOL with its CSV files, or --detector MODULE:FUNCTION with "
                "--ddamfn and --class_order."
            )
        chosen, needed, other = (
            ("--import_from", ("files", "output_file"), ("ddamfn", "class_order", "mapping", "vectors_dir"))
            if self.import_from
            else ("--detector", ("data_dir", "ddamfn", "class_order"), ("files", "frames_per_second", "ignore"))
        )
        for name in needed:
            if not getattr(self, name):
                what = "the CSV files" if name == "files" else f"--{name}"
                raise UsageError(f"{chosen} needs {what}, which is missing.")
        for name in other:
            if getattr(self, name):
                what = f"the file {self.files[0]}" if name == "files" else f"--{name}"
                raise UsageError(f"{what} has no effect with {chosen}. Leave it out.")
        self._check_classes()
        if not self.output_file and not self.vectors_dir:
            raise UsageError("Give --output_file for a face table, --vectors_dir for a store of face vectors, or both.")

    def _check_classes(self) -> None:
        """Refuses classes that are no emotions, and two that are the same one: a line of text would name them."""
        from iemomecp_dataset.features.faces.table import CLASS_NAMES, emotion_name

        emotions: dict[str, str] = {}
        for name in self.class_order:
            lower = name.strip().lower()
            if lower not in CLASS_NAMES:
                known = sorted({emotion_name(one) or one for one in CLASS_NAMES})
                raise UsageError(
                    f"--class_order names {name!r}, which is no emotion of a face classifier. "
                    f"{did_you_mean(name, known)} Give the emotion of each class, in the order of the checkpoint's "
                    "training."
                )
            first = emotions.setdefault(emotion_name(name) or lower, name)
            if first != name:
                raise UsageError(
                    f"--class_order names {first} and {name}, which are one emotion. Give each class its own."
                )
