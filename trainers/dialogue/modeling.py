"""The dialogue scorer: every utterance is encoded once, every candidate pair is scored from the whole dialogue.

Each modality has a projection with an explicit mask; a transformer mixes the utterances of the dialogue; heads score
utterances as emotional and as causes, and pairs from both utterances, their relative distance and their speakers::

    text, audio, video --project, mask--> sum + speaker + position --transformer--> h
    P(emotion) of another model (optional) --linear--> added to the sum
    h_i --> emotion logits        h_j --> cause logits        h_i --> emotion categories (optional)
    h_i, h_j, distance(i - j), same speaker --> pair logits (N, N, C) --all pairs, refine--> pair logits
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.utils import ModelOutput

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.trainers.dialogue.layers import (
    CandidatePairs,
    DialogueLayer,
    ModalityProjection,
    Ragged,
    scoring_head,
)
from iemomecp_dataset.trainers.dialogue.pair_heads import PAIR_SCORERS, PairRefinement
from iemomecp_dataset.trainers.encoders.text import pooled_chunks
from iemomecp_dataset.trainers.objectives import IGNORED_LABEL, corrupt_context, supervised_extraction
from iemomecp_dataset.trainers.pairs.config import NAMES, TEXT_ENCODER, Expected, PairScorerConfig, count, one_of, share
from iemomecp_dataset.trainers.whole_model import WholeModel

__all__ = ["Corruption", "DialogueScorer", "DialogueScorerConfig", "DialogueScores"]


class DialogueScorerConfig(PairScorerConfig):
    """Shape of a :class:`DialogueScorer`; pair classes and decision rule are those of the base.

    Attributes:
        text_size: Width of an utterance's text representation, 0 without text.
        audio_size: Width of an audio feature vector, 0 without audio.
        video_size: Width of a video feature vector, 0 without video.
        text_encoder: Configuration of the text encoder that is trained and saved with the scorer; None if text comes as
            frozen features.
        text_encoder_name: Name or path of the text encoder, trained or frozen.
        text_layers: Encoder layers that are mean-pooled and concatenated (0 is the embedding layer).
        max_tokens: Tokens per utterance, or per sequence of several; what is longer is cut, and counted.
        text_context: Turns before an utterance, or a block of them, that the text encoder reads in the same sequence;
            see :mod:`iemomecp_dataset.trainers.encoders.context`.
        text_context_after: Turns after it.
        text_block: Utterances whose vectors come from one sequence.
        text_alone: Whether each utterance is encoded alone, too, and has both vectors.
        hidden_size: Width of the dialogue transformer.
        num_layers: Its depth; 0 scores utterances without dialogue context.
        num_heads: Its attention heads.
        dropout: Dropout probability everywhere in the head.
        pair_scorer: Head for pairs, ``mlp`` or ``biaffine``; see :mod:`iemomecp_dataset.trainers.dialogue.pair_heads`.
        pair_size: Width of the pair scorer's hidden layer.
        bilinear_size: Rank of the bilinear term of ``mlp``, 0 for none.
        pair_refinement: Whether the scores of pairs are corrected by those of the others; see
            :class:`~iemomecp_dataset.trainers.dialogue.pair_heads.PairRefinement`.
        max_distance: Relative distances beyond it share an embedding.
        max_positions: Turns beyond it share a position embedding.
        max_speakers: Speakers of a dialogue, numbered by first appearance, beyond it share an embedding.
        emotion_names: Emotion categories by id, where a head predicts those of utterances; None for no such head.
        emotion_input_names: Emotions by id whose probabilities, from another model, are an input; None without.
        corpus_names: Corpora of training by number, each with a learned vector, the run's own first; None without.
    """

    model_type = "iemomecp_dialogue_scorer"

    text_size: int = 0
    audio_size: int = 0
    video_size: int = 0
    text_encoder: dict[str, Any] | None = None
    text_encoder_name: str | None = None
    text_layers: list[int] | None = None
    max_tokens: int = 128
    text_context: int = 0
    text_context_after: int = 0
    text_block: int = 1
    text_alone: bool = False
    hidden_size: int = 256
    num_layers: int = 2
    num_heads: int = 4
    dropout: float = 0.4
    pair_scorer: str = "mlp"
    pair_size: int = 256
    bilinear_size: int = 128
    pair_refinement: bool = True
    max_distance: int = 12
    max_positions: int = 64
    max_speakers: int = 12
    emotion_names: list[str] | None = None
    emotion_input_names: list[str] | None = None
    corpus_names: list[str] | None = None

    _expected: ClassVar[dict[str, Expected]] = {
        **dict.fromkeys(
            ("text_size", "audio_size", "video_size", "num_layers", "bilinear_size", "max_distance"), count(0)
        ),
        **dict.fromkeys(("text_context", "text_context_after"), count(0)),
        "text_block": count(1),
        "text_alone": Expected("true or false", lambda value: isinstance(value, bool)),
        **dict.fromkeys(("hidden_size", "num_heads", "pair_size"), count(1)),
        **dict.fromkeys(("max_tokens", "max_positions", "max_speakers"), count(1)),
        "text_encoder": TEXT_ENCODER,
        "text_layers": Expected(
            "a list of the numbers of layers",
            lambda value: isinstance(value, (list, tuple)) and all(type(one) is int and one >= 0 for one in value),
            optional=True,
        ),
        "dropout": share(),
        "pair_scorer": one_of(*PAIR_SCORERS),
        "pair_refinement": Expected("true or false", lambda value: isinstance(value, bool)),
        "emotion_names": NAMES,
        "emotion_input_names": NAMES,
        "corpus_names": NAMES,
    }

    def __post_init__(self, **kwargs: Any) -> None:
        """Also checks that the heads share the width.

        Raises:
            InvalidDataError: A field has a value that it cannot have.
        """
        super().__post_init__(**kwargs)
        if self.hidden_size % self.num_heads:
            raise InvalidDataError(
                f"hidden_size must be divisible by num_heads ({self.num_heads}), but is {self.hidden_size}."
            )


@dataclass(frozen=True)
class Corruption:
    """Settings of the corrupted view of a dialogue (arXiv 2606.18893, Eq. 12 and 13).

    Attributes:
        rate: Probability of zeroing an utterance.
        protect_gold: Spare utterances of gold pairs.
        point: The representations that are corrupted: ``scorer_input``, the pair scorer's, as in the paper; or
            ``dialogue_input``, the dialogue transformer's, so that the context of gold pairs changes too.
    """

    rate: float = 0.30
    protect_gold: bool = True
    point: str = "scorer_input"


@dataclass
class DialogueScores(ModelOutput):  # type: ignore[misc]
    """Output of a dialogue scorer; read it by name, as positions shift where an entry is None.

    Attributes:
        loss: Scalar, the supervised loss; None without labels.
        pair_logits: ``(B, N, N, C)``; row target, column candidate cause.
        emotion_logits: ``(B, N, 2)``; index 1: the utterance is emotional. None for a model without that head.
        cause_logits: ``(B, N, 2)``; index 1: the utterance causes some emotion. None likewise.
        corrupted_pair_logits: Those of the pairs on the corrupted view; None without such a view.
        emotion_category_logits: ``(B, N, K)``, of the emotion categories by id; None for a model without that head.
    """

    loss: Tensor | None = None
    pair_logits: Tensor = None  # type: ignore[assignment]  # always given; a ModelOutput wants defaults
    emotion_logits: Tensor | None = None
    cause_logits: Tensor | None = None
    corrupted_pair_logits: Tensor | None = None
    emotion_category_logits: Tensor | None = None


class DialogueScorer(WholeModel):
    """Scores all candidate pairs of a dialogue in one pass.

    A ``PreTrainedModel``: ``save_pretrained``, ``from_pretrained`` and ``push_to_hub`` work.

    Example:
        >>> config = DialogueScorerConfig(class_names=["pair", "non_pair"], text_size=8, hidden_size=16, num_heads=2)
        >>> scores = DialogueScorer(config).eval()(
        ...     mask=torch.ones(1, 3, dtype=torch.bool), speakers=torch.tensor([[0, 1, 0]]), text=torch.randn(1, 3, 8))
        >>> tuple(scores.pair_logits.shape)
        (1, 3, 3, 2)
    """

    config_class = DialogueScorerConfig
    base_model_prefix = "scorer"

    def __init__(self, config: DialogueScorerConfig):
        super().__init__(config)
        hidden = config.hidden_size
        self.text_encoder: nn.Module | None = None
        if config.text_encoder is not None:
            encoder_config = AutoConfig.for_model(**config.text_encoder)
            self.use_text_encoder(AutoModel.from_config(encoder_config))
        sizes = {"text": config.text_size, "audio": config.audio_size, "video": config.video_size}
        self.projections = nn.ModuleDict(
            {name: ModalityProjection(size, hidden, config.dropout) for name, size in sizes.items() if size}
        )
        self.speaker = nn.Embedding(config.max_speakers, hidden)
        self.position = nn.Embedding(config.max_positions, hidden)
        self.input_dropout = nn.Dropout(config.dropout)
        self.dialogue = nn.ModuleList(
            DialogueLayer(hidden, config.num_heads, 2 * hidden, config.dropout) for _ in range(config.num_layers)
        )
        self.norm = nn.LayerNorm(hidden)
        self.emotion_head = scoring_head(hidden, config.dropout)
        self.cause_head = scoring_head(hidden, config.dropout)
        self.pair_scorer = PAIR_SCORERS[config.pair_scorer](
            hidden,
            len(config.class_names or ()),
            size=config.pair_size,
            bilinear_size=config.bilinear_size,
            max_distance=config.max_distance,
            dropout=config.dropout,
        )
        self.pair_refinement = (
            PairRefinement(len(config.class_names or ()), config.max_distance) if config.pair_refinement else None
        )
        self.emotion_category_head: nn.Module | None = None
        if config.emotion_names:
            # Whether a model has this head changes no other parameter: it draws from a copy of the random state.
            with torch.random.fork_rng(devices=[]):
                self.emotion_category_head = scoring_head(hidden, config.dropout, len(config.emotion_names))
        self.emotion_projection: nn.Module | None = None
        if config.emotion_input_names:
            # No norm before it, unlike the features of a modality: how certain a prediction is must be kept.
            with torch.random.fork_rng(devices=[]):
                self.emotion_projection = nn.Linear(len(config.emotion_input_names), hidden)
        self.corpus: nn.Parameter | None = None
        if config.corpus_names:
            # Zero draws no random number, and begins where a model without these vectors does.
            self.corpus = nn.Parameter(torch.zeros(len(config.corpus_names), hidden))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        # Linear layers and norms keep torch's own initialisation; embeddings start small, so that
        # positions and speakers do not outweigh the content.
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)

    def forward(
        self,
        mask: Tensor,
        speakers: Tensor,
        valid: Tensor | None = None,
        text: Tensor | None = None,
        text_tokens: list[dict[str, Tensor]] | None = None,
        text_order: Tensor | None = None,
        audio: Tensor | None = None,
        audio_present: Tensor | None = None,
        video: Tensor | None = None,
        video_present: Tensor | None = None,
        gold: Tensor | None = None,
        corruption: Corruption | None = None,
        labels: Tensor | None = None,
        emotion_labels: Tensor | None = None,
        cause_labels: Tensor | None = None,
        emotion: Tensor | None = None,
        corpus: Tensor | None = None,
    ) -> DialogueScores:
        """Scores a padded batch.

        Args:
            mask: ``(B, N)`` bool, true for utterances.
            speakers: ``(B, N)`` int, speakers of a dialogue numbered by first appearance.
            valid: ``(B, N, N)`` bool, the pairs to score; by default those that have a label, and without labels all
                pairs of utterances.
            text: ``(B, N, text_size)`` frozen text features; or else
            text_tokens: chunks of the batch's utterances, each with ``input_ids`` and ``attention_mask`` ``(u, T)``,
                and with ``pooled`` ``(u, s, T)`` where a sequence has several turns;
            text_order: with them, ``(U,)`` int, the row, among all chunks, of each true entry of ``mask``; ``(U, 2)``
                where each has two vectors.
            audio: ``(B, N, audio_size)``.
            audio_present: ``(B, N)`` bool; absent vectors are replaced by a learned one.
            video: ``(B, N, video_size)``.
            video_present: ``(B, N)`` bool.
            gold: ``(B, N, N)`` bool, all gold pairs, candidates or not; needed for a corrupted view.
            corruption: How to make the corrupted view; ``None`` for no such view.
            labels: ``(B, N, N)`` int, class ids of the candidate pairs, -100 elsewhere; the output then has ``loss``,
                which is :func:`~iemomecp_dataset.trainers.objectives.supervised_extraction`.
            emotion_labels: ``(B, N)`` int, with labels: 1 for emotional utterances; by default the targets of pairs of
                class 0.
            cause_labels: ``(B, N)`` int, with labels: 1 for causes; by default those of pairs of class 0.
            emotion: ``(B, N, K)`` probabilities of the emotions that the configuration names as inputs.
            corpus: ``(B,)`` int, the corpus of each dialogue, by its number in the configuration's ``corpus_names``; by
                default 0, that of the run. Not used by a model without them.

        Returns:
            The logits, and with labels the loss; the emotion categories have no part in it.
        """
        if valid is None:
            valid = mask.unsqueeze(-1) & mask.unsqueeze(-2)
            if labels is not None:
                valid = valid & (labels != IGNORED_LABEL)
        ragged = Ragged.of(mask)
        encoded = None if text is None else ragged.flat(text)
        if encoded is None and text_tokens is not None:
            encoded = self._encode_text(text_tokens, text_order)
        utterances = self._fuse(
            ragged,
            speakers,
            {
                "text": (encoded, None),
                "audio": (audio if audio is None else ragged.flat(audio), audio_present),
                "video": (video if video is None else ragged.flat(video), video_present),
            },
        )
        if self.emotion_projection is not None:
            if emotion is None:
                raise ValueError("this scorer needs the probabilities of emotions")
            # Added, as a layer on the utterance's vector and these numbers together would add it.
            utterances = utterances + self.emotion_projection(ragged.flat(emotion).to(utterances.dtype))
        if self.corpus is not None:
            numbers = torch.zeros_like(speakers[:, 0]) if corpus is None else corpus
            of_corpus = self.corpus[numbers].unsqueeze(1).expand(-1, mask.shape[1], -1)
            utterances = utterances + ragged.flat(of_corpus).to(utterances.dtype)
        contextual = self._contextualize(utterances, ragged)
        corrupted_pair_logits = None
        if corruption is None:
            pair_logits, emotion_logits, cause_logits = self._score(contextual, ragged, speakers, valid)
        else:
            if gold is None:
                raise ValueError("a corrupted view needs the gold pairs")
            pair_logits, emotion_logits, cause_logits, corrupted_pair_logits = self._score_both_views(
                utterances, contextual, ragged, speakers, valid, gold, corruption
            )
        category_logits = None
        if self.emotion_category_head is not None:
            category_logits = ragged.padded(self.emotion_category_head(contextual).float())
        loss = None
        if labels is not None:
            positive = labels == 0
            loss = supervised_extraction(
                emotion_logits,
                cause_logits,
                pair_logits,
                positive.any(dim=-1) if emotion_labels is None else emotion_labels,
                positive.any(dim=-2) if cause_labels is None else cause_labels,
                labels,
                mask,
                valid,
            )
        return DialogueScores(
            loss=loss,
            pair_logits=pair_logits,
            emotion_logits=emotion_logits,
            cause_logits=cause_logits,
            corrupted_pair_logits=corrupted_pair_logits,
            emotion_category_logits=category_logits,
        )

    def use_text_encoder(self, encoder: nn.Module) -> None:
        """Takes over a pretrained encoder, to be trained and saved with the scorer."""
        # Layers are pooled here; an encoder's own pooler would be a parameter without gradient.
        if getattr(encoder, "pooler", None) is not None:
            setattr(encoder, "pooler", None)  # noqa: B010 - not every encoder declares one
        self.text_encoder = encoder

    def get_input_embeddings(self) -> nn.Module | None:
        """None: the scorer takes vectors of utterances; token embeddings are a part of its encoder, sharded with it."""
        return None

    def get_output_embeddings(self) -> nn.Module | None:
        """None: it predicts no tokens."""
        return None

    def begin_at_distance_rates(self, log_rates: Tensor) -> None:
        """Starts the pair scorer at given log rates of the classes by turn distance.

        Args:
            log_rates: ``(distances, C)``, as :func:`iemomecp_dataset.trainers.dialogue.pair_heads.distance_log_rates`
                gives them.
        """
        self.pair_scorer.begin_at(log_rates)

    def _encode_text(self, chunks: list[dict[str, Tensor]], order: Tensor | None) -> Tensor:
        if self.text_encoder is None or order is None:
            raise ValueError("this scorer takes text as features, not as tokens")
        return pooled_chunks(self.text_encoder, chunks, order, self.config.text_layers)

    def _fuse(
        self, ragged: Ragged, speakers: Tensor, modalities: dict[str, tuple[Tensor | None, Tensor | None]]
    ) -> Tensor:
        turns = ragged.places % ragged.mask.shape[1]
        fused = self.position(turns.clamp(max=self.config.max_positions - 1))
        fused = fused + self.speaker(ragged.flat(speakers).clamp(max=self.config.max_speakers - 1))
        for name, projection in self.projections.items():
            features, present = modalities[name]
            if features is None:
                raise ValueError(f"this scorer needs {name} features")
            fused = fused + projection(features, None if present is None else ragged.flat(present))
        dropped: Tensor = self.input_dropout(fused)
        return dropped

    def _contextualize(self, utterances: Tensor, ragged: Ragged) -> Tensor:
        hidden = utterances
        for layer in self.dialogue:
            hidden = layer(hidden, ragged)
        normalized: Tensor = self.norm(hidden)
        return normalized

    def _score(self, hidden: Tensor, ragged: Ragged, speakers: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pair, emotion and cause logits."""
        emotion_logits = ragged.padded(self.emotion_head(hidden).float())
        cause_logits = ragged.padded(self.cause_head(hidden).float())
        pairs = CandidatePairs.of(valid)
        pair_scores = self.pair_scorer(hidden, ragged, speakers, pairs)
        if self.pair_refinement is not None:
            pair_scores = self.pair_refinement(pair_scores, emotion_logits, cause_logits, pairs)
        return pairs.matrices(pair_scores), emotion_logits, cause_logits

    def _score_both_views(
        self,
        utterances: Tensor,
        contextual: Tensor,
        ragged: Ragged,
        speakers: Tensor,
        valid: Tensor,
        gold: Tensor,
        corruption: Corruption,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Pair, emotion and cause logits, and the pair logits of the corrupted view."""
        at_scorer = corruption.point == "scorer_input"
        corrupted = ragged.flat(
            corrupt_context(
                ragged.padded(contextual if at_scorer else utterances),
                gold,
                ragged.mask,
                rate=corruption.rate,
                protect_gold=corruption.protect_gold,
            )
        )
        if not at_scorer:
            corrupted = self._contextualize(corrupted, ragged)
        # Both views as one batch of twice as many dialogues, which costs less than two batches.
        both = self._score(
            torch.cat([contextual, corrupted]),
            Ragged.of(ragged.mask.repeat(2, 1)),
            speakers.repeat(2, 1),
            valid.repeat(2, 1, 1),
        )
        (pairs, corrupted_pairs), (emotions, _), (causes, _) = (logits.chunk(2) for logits in both)
        return pairs, emotions, causes, corrupted_pairs
