"""The dialogue scorer: every utterance encoded once, all pairs of the dialogue scored (arXiv 2606.18893)."""

from __future__ import annotations

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.options import OBJECTIVE_NAMES, TrainingOptions
from iemomecp_dataset.trainers.scorers import Scorer

__all__ = ["SCORER"]


def _check(options: TrainingOptions) -> None:
    for option, given in (
        ("--evidence_removal", options.run.evidence_removal),
        ("--batch_tokens", options.optimization.batch_tokens is not None),
    ):
        if given:
            raise UsageError(
                f"{option} belongs to the isolated scorer; the dialogue scorer has no pair alone. Leave it out, or use "
                "--scorer isolated."
            )
    model = options.model
    apart = (model.text_context, model.text_context_after, model.text_block) == (0, 0, 1)
    if not apart and not options.data.encodes_text:
        raise UsageError(
            "--text_context, --text_context_after and --text_block say what the text encoder reads, but this run "
            "encodes no text. Leave them out, or add t to --modalities."
        )
    if model.text_alone and apart:
        raise UsageError(
            "--text_alone encodes utterances alone beside those that are read with others, but these options encode "
            "all of them alone. Leave it out, or give --text_context or --text_block."
        )
    if options.model.hidden_size % options.model.num_heads:
        raise UsageError(
            f"--hidden_size {options.model.hidden_size} is not divisible by --num_heads {options.model.num_heads}."
        )


SCORER = Scorer(
    name="dialogue",
    description="each utterance is encoded once and all pairs are scored",
    model_class="iemomecp_dataset.trainers.dialogue.modeling:DialogueScorer",
    model_type="iemomecp_dialogue_scorer",
    objectives=OBJECTIVE_NAMES,
    check=_check,
    cite="arXiv 2606.18893 (objectives)",
)
"""Its entry in the registry of scorers."""
