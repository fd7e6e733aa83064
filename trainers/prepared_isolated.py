"""The isolated pair scorer, ready to be trained on a corpus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from accelerate import Accelerator
from accelerate.utils import set_seed

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.trainers.encoders.text import TextEncoder, chunk_tokens_on, load_text_encoder
from iemomecp_dataset.trainers.encoders.vectors import load_features
from iemomecp_dataset.trainers.encoders.weights import freeze_lowest, load_initial_weights
from iemomecp_dataset.trainers.isolated_method import IsolatedMethod, utterance_vectors
from iemomecp_dataset.trainers.isolated_scorer import IsolatedScorer, IsolatedScorerConfig
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.pair_examples import PairExamples, Utterances, pair_examples
from iemomecp_dataset.trainers.prepared import PreparedScorer
from iemomecp_dataset.trainers.segments import Segments, tokenise_segments

__all__ = ["prepare_isolated"]


def prepare_isolated(options: TrainingOptions, corpus: Corpus, accelerator: Accelerator) -> PreparedScorer:
    """Builds examples, inputs and model.

    Raises:
        IemomecpError: An encoder or features that are not there, or do not fit.
    """
    utterances, examples = pair_examples(corpus.rows)
    vectors, sizes = load_features(options.data, utterances.ids)
    # An encoder without trained pooler gets a random one: it depends on the seed alone.
    set_seed(options.run.seed, deterministic=options.run.deterministic)
    encoder = load_text_encoder(options.model.text_encoder) if "t" in options.data.modalities else None
    segments = _segments(options, utterances, examples, encoder)
    method = IsolatedMethod(
        segments=segments,
        vectors={name: utterance_vectors(utterances.ids, found, sizes[name]) for name, found in vectors.items()},
        batch_tokens=options.optimisation.batch_tokens,
        chunk_tokens=chunk_tokens_on(accelerator.device),
    )
    removed = None
    if options.run.evidence_removal:
        removed = replace(method, removed=True, segments=_segments(options, utterances, examples, encoder, True))
    model = IsolatedScorer(
        IsolatedScorerConfig(
            class_names=list(corpus.class_names),
            text_encoder=encoder.model.config.to_dict() if encoder else None,
            text_encoder_name=encoder.name if encoder else None,
            segment_pooling=options.model.segment_pooling,
            max_tokens=options.model.max_tokens,
            audio_size=sizes.get("audio", 0),
            video_size=sizes.get("video", 0),
            hidden_size=options.model.hidden_size,
            dropout=options.model.dropout,
        )
    )
    if encoder:
        model.use_text_encoder(encoder.model)
        freeze_lowest(encoder.model, options.model.frozen_layers)
    if options.model.init_from:
        load_initial_weights(model, options.model.init_from)
    # From here on each process draws its own dropout masks; the first one's are those of a run alone.
    set_seed(options.run.seed, device_specific=True, deterministic=options.run.deterministic)
    return PreparedScorer(
        model=model,
        method=method,
        examples=examples,
        truncated={split: _truncated(pairs, segments) for split, pairs in examples.items()},
        encoder=encoder,
        without_evidence=removed,
    )


def _segments(
    options: TrainingOptions,
    utterances: Utterances,
    examples: dict[str, PairExamples],
    encoder: TextEncoder | None,
    removed: bool = False,
) -> Segments | None:
    if encoder is None:
        return None
    return tokenise_segments(
        utterances.spoken,
        np.concatenate([pairs.targets for pairs in examples.values()]),
        np.concatenate([pairs.candidates for pairs in examples.values()]),
        encoder.tokenizer,
        options.model.max_tokens,
        removed=removed,
    )


def _truncated(pairs: PairExamples, segments: Segments | None) -> dict[str, int]:
    """How many pairs' segments are cut, and of how many utterances: a segment is cut at its end, the candidate."""
    if segments is None:
        return {"truncated_utterances": 0, "truncated_pairs": 0}
    cut = segments.full_lengths(pairs.targets, pairs.candidates) > segments.max_tokens
    return {"truncated_utterances": len(np.unique(pairs.candidates[cut])), "truncated_pairs": int(cut.sum())}
