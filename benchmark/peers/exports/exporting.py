"""The export for any peer: its files, a HOWTO of how to start it on them, and last the manifest."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.benchmark.peers import PEERS
from iemomecp_dataset.benchmark.peers.exports.emotion_names import emotion_names, has_slots_only
from iemomecp_dataset.benchmark.peers.exports.hilo import export_hilo
from iemomecp_dataset.benchmark.peers.exports.howto import howto_text
from iemomecp_dataset.benchmark.peers.exports.m3hg import export_m3hg
from iemomecp_dataset.benchmark.peers.exports.m3hg_json import export_m3hg_json
from iemomecp_dataset.benchmark.peers.exports.mecpe import export_mecpe
from iemomecp_dataset.benchmark.peers.exports.request import Exported, ExportRequest
from iemomecp_dataset.benchmark.peers.exports.semeval import export_semeval
from iemomecp_dataset.benchmark.peers.manifest import (
    MANIFEST_FILE,
    Manifest,
    ManifestDialogue,
    write_manifest,
)
from iemomecp_dataset.benchmark.peers.positives import Positive, positive_class
from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.corpora.metadata import CORPORA, IEMOMECP
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.features.store.store_card import check_store
from iemomecp_dataset.files import make_folder, not_written, write_text
from iemomecp_dataset.markdown_text import markdown_text
from iemomecp_dataset.schema import ROLE_LABELS, SPLITS

__all__ = ["HOWTO_FILE", "ExportResult", "export_for", "terms_of", "text_version"]

HOWTO_FILE = "HOWTO.md"

_EXPORTS: Mapping[str, Callable[[Corpus, ExportRequest, Positive, Mapping[str, str]], Exported]] = {
    "hilo": export_hilo,
    "m3hg": export_m3hg,
    "mecpe": export_mecpe,
    "semeval": export_semeval,
    "m3hg-json": export_m3hg_json,
}
assert tuple(_EXPORTS) == PEERS


@dataclass(frozen=True)
class ExportResult:
    """The manifest of an export, and its files relative to the folder."""

    manifest: Manifest
    files: tuple[str, ...]


def export_for(corpus: Corpus, request: ExportRequest) -> ExportResult:
    """Writes what a peer reads.

    Args:
        corpus: The corpus, with all the splits that there are.
        request: What to export.

    Returns:
        The manifest and the files. The manifest is written last and the HOWTO before it, so that a broken
        export has neither.

    Raises:
        UsageError: There is no such peer, an option or a feature store does not fit, or the folder cannot be written
            to.
        InvalidDataError: The data has something that the peer cannot take; the message names the dialogue.
    """
    if request.peer not in _EXPORTS:
        raise UsageError(f"There is no export for {request.peer!r}. {did_you_mean(request.peer, _EXPORTS)}")
    corpus.require_pairs()
    positive = positive_class(corpus.config_name, request.positive)
    emotions = emotion_names(request.peer, corpus.config_name, corpus.emotion_names)
    for modality, given in (("audio", request.audio), ("video", request.video)):
        if given.store is not None:
            check_store(given.store, modality, corpus=corpus.name, synthetic=corpus.synthetic)
    make_folder(request.output_dir)
    _remove(request.output_dir / MANIFEST_FILE)
    _remove(request.output_dir / HOWTO_FILE)
    exported = _EXPORTS[request.peer](corpus, request, positive, emotions)
    for name in exported.not_written:
        # Of an earlier export into this folder: the peer would read it beside the others.
        _remove(request.output_dir / name)
    manifest = _manifest(corpus, request, positive, emotions, exported)
    write_text(request.output_dir / HOWTO_FILE, _howto(corpus, request, exported, manifest))
    write_manifest(request.output_dir, manifest)
    return ExportResult(manifest, (*exported.files, HOWTO_FILE, MANIFEST_FILE))


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise not_written(path, error) from None


def _manifest(
    corpus: Corpus, request: ExportRequest, positive: Positive, emotions: Mapping[str, str], exported: Exported
) -> Manifest:
    version = text_version(corpus)
    options = {
        "positive": positive,
        # As the loader takes them: None where the configuration has no such option.
        "candidates": None if corpus.name == IEMOMECP else corpus.candidates,
        "forward_pairs": corpus.forward_pairs if corpus.config_name == "source_binary" else None,
        "text_version": version,
        "modalities": "t",
        **exported.options,
    }
    return Manifest(
        peer=request.peer,
        config_name=corpus.config_name,
        options=options,
        fingerprints=dict(corpus.fingerprints),
        text_fingerprints=dict(corpus.text_fingerprints),
        emotions=emotions,
        splits={
            split: tuple(
                ManifestDialogue(dialogue.peer_id, dialogue.dialogue_id, len(dialogue.utterances))
                for dialogue in dialogues
            )
            for split, dialogues in exported.dialogues.items()
        },
        counts={split: dict(+counts) for split, counts in exported.counts.items()},
        notes=(*_common_notes(corpus, request.peer, positive, version), *exported.notes),
        synthetic=corpus.synthetic,
    )


def _common_notes(corpus: Corpus, peer: str, positive: str, version: str | None) -> list[str]:
    notes = []
    if corpus.synthetic:
        notes.append("The dialogues are SYNTHETIC: nothing measured on them says anything about a corpus.")
    if corpus.class_names == ROLE_LABELS:
        notes.append(
            f"One relation was exported, {positive}; the three-class numbers that are published for this family are of "
            "heads that were not released."
        )
    if corpus.config_name == "source_binary":
        notes.append(f"Pairs with a later cause are labelled {corpus.forward_pairs} (forward_pairs).")
    if version is not None:
        notes.append(f"The texts are those of ECF {version}; versions 1.0 and 2.0 differ in 159 utterances.")
    if has_slots_only(peer, corpus.config_name):
        notes.append(
            "The peer's emotions are slots, not meanings, on this corpus: its scores by emotion are compared with "
            "nothing."
        )
    missing = [split for split in SPLITS if split not in corpus.rows]
    if missing and peer in ("hilo", "m3hg", "mecpe"):
        notes.append(
            f"The data has no {' and no '.join(missing)} split, so the file of it is missing: the peer needs all three."
        )
    return notes


def text_version(corpus: Corpus) -> str | None:
    """Tells which texts of ECF a corpus has.

    Args:
        corpus: The corpus.

    Returns:
        ``1.0`` for the text files, ``2.0`` for JSON, ``1.0 and 2.0`` where splits differ; None for other corpora, and
        where it is not known which files were loaded.
    """
    if corpus.name != "ecf" or corpus.data_dir is None:
        return None
    loaded = {
        next((name for name in CORPORA["ecf"].split_files[split] if (corpus.data_dir / name).is_file()), "")
        for split in corpus.rows
    }
    return " and ".join(sorted({"1.0" if name.endswith(".txt") else "2.0" for name in loaded if name})) or None


def terms_of(corpus: Corpus) -> str:
    """Says whose text an export holds."""
    if corpus.synthetic:
        return "The dialogues are SYNTHETIC: nothing measured on them says anything about a corpus."
    return f"The files hold utterances of {corpus.name}: its terms hold for them, too. Keep them to yourself."


def _howto(corpus: Corpus, request: ExportRequest, exported: Exported, manifest: Manifest) -> str:
    location = ("--data-dir", "DATA_DIR" if corpus.data_dir is None else shlex.quote(str(corpus.data_dir.resolve())))
    return howto_text(
        request.peer,
        {
            "config_name": corpus.config_name,
            "positive": manifest.options["positive"],
            "terms": terms_of(corpus),
            "counts": _table({split: Counter(counts) for split, counts in manifest.counts.items()}),
            "notes": "A row of this export must state:\n\n"
            + "\n".join(f"* {markdown_text(note)}" for note in manifest.notes)
            if manifest.notes
            else "There is nothing that a row of this export must state.",
            "export_command": command_hint(
                "export-for", request.peer, *location, "--config-name", corpus.config_name, "--output-dir", "OTHER"
            ),
            "import_command": command_hint(
                "import-from", request.peer, "--manifest", shlex.quote(str(_manifest_path(request))), *location
            ),
            "roles": _roles(corpus),
            **exported.howto,
        },
    )


def _roles(corpus: Corpus) -> str:
    """How both roles come into one run, where there are three classes."""
    if corpus.class_names != ROLE_LABELS:
        return "Every further seed is a further start and a further run folder."
    cause, context, other = ROLE_LABELS
    return (
        f"For both roles export and train twice, with `--positive {cause}` and with `--positive {context}`. The import "
        f"takes the first as above and the second as `--context-manifest FILE --context-output FILES`, and decides "
        f"{cause} where the first predicts a pair, else {context} where the second does, else {other}."
    )


def _manifest_path(request: ExportRequest) -> Path:
    return request.output_dir.resolve() / MANIFEST_FILE


def _table(counts: Mapping[str, Counter[str]]) -> str:
    """The counts by split as a table of Markdown."""
    kinds = list(dict.fromkeys(kind for of_split in counts.values() for kind in of_split))
    lines = [
        f"| | {' | '.join(counts)} |",
        f"|---{'|---:' * len(counts)}|",
        *(
            f"| {kind.replace('|', chr(92) + '|')} | {' | '.join(str(counts[split][kind]) for split in counts)} |"
            for kind in kinds
        ),
    ]
    return "\n".join(lines)
