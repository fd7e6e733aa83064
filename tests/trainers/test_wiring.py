"""Every option of a run reaches the call that it is for, and what a run has found reaches its files.

Runs on two dialogues have every option at a value of its own; the calls of training are recorded. A row of
``ARRIVES`` says which argument of which call must have the value.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from accelerate.state import AcceleratorState
from explained_dialogues import EMOTIONS as EXPLAINED_EMOTIONS
from explained_dialogues import explained_dialogues, write_language_model
from two_dialogues import (
    AUDIO_SIZE,
    EMOTIONS,
    SIZES,
    VIDEO_SIZE,
    two_dialogue_corpus,
    two_dialogues,
    write_emotions,
    write_store,
    write_vectors,
)

from iemomecp_dataset.benchmark.runs import explanation_results
from iemomecp_dataset.benchmark.runs.identity import system_of
from iemomecp_dataset.benchmark.runs.results import RunResults
from iemomecp_dataset.corpus import Corpus, corpus_of
from iemomecp_dataset.errors import MissingDataError, RunFolderError, UsageError
from iemomecp_dataset.features.faces.table import FaceTable
from iemomecp_dataset.features.frames.store import FrameStoreWriter
from iemomecp_dataset.folds import fold_corpus, make_folds, write_folds
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.trainers import predict
from iemomecp_dataset.trainers.dialogue.emotion_inputs import read_emotion_inputs
from iemomecp_dataset.trainers.emotions import run_kind
from iemomecp_dataset.trainers.emotions.options import EmotionTrainingOptions
from iemomecp_dataset.trainers.explanation import inputs as explanation_inputs
from iemomecp_dataset.trainers.explanation import modeling_explanation
from iemomecp_dataset.trainers.explanation import run_kind as explanation_kind
from iemomecp_dataset.trainers.explanation import task as explanation_task
from iemomecp_dataset.trainers.explanation.language_model import load_language_tokenizer
from iemomecp_dataset.trainers.explanation.modeling_explanation import ExplanationModel
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.options import SECTIONS, RunSettings, TrainingOptions
from iemomecp_dataset.trainers.pairs import run_kind as pair_kind
from iemomecp_dataset.trainers.run import run

KINDS = ("dialogue", "trained", "isolated")
"""Kinds of runs of pair scorers."""
EXPLAINING = ("explanation", "faces", "begun")
"""Kinds of runs that explain emotions; the others recognise them."""

# Values that differ from every default, from each other and from every size of the corpus.
DIALOGUE: dict[str, Any] = {
    "config_name": "3class", "forward_pairs": "as_published", "emotions": "common", "modalities": "tav",
    "max_missing_features": 0.02, "scorer": "dialogue", "encoder_mode": "frozen", "text_layers": "1", "max_tokens": 6,
    "text_context": 14, "text_context_after": 15, "text_block": 16, "text_alone": True, "r_drop_weight": 0.66,
    "hidden_size": 12, "num_layers": 3, "num_heads": 6, "dropout": 0.21, "pair_scorer": "mlp", "pair_size": 7,
    "bilinear_size": 11, "pair_refinement": False, "max_distance": 2, "distance_prior": True, "objective": "rpcl",
    "base_margin": 0.17,
    "top_k": 2, "corruption_rate": 0.4, "corruption_point": "dialogue_input", "ranking_weight": 0.61,
    "corrupted_supervision_weight": 0.62, "alignment_weight": 0.63, "context_ranking_weight": 0.64,
    "emotion_category_weight": 0.65,
    "class_weighting": "sqrt", "emotion_target": "gold_target", "epochs": 2, "patience": 9, "selection": "macro_f1",
    "decision": "threshold", "batch_size": 1, "eval_batch_size": 3, "gradient_accumulation_steps": 2,
    "learning_rate": 0.011, "encoder_learning_rate": 0.012, "weight_decay": 0.013, "decay_everything": False,
    "warmup_ratio": 0.5, "max_grad_norm": 0.7, "weight_averaging": 0.77, "threshold": 0.31, "seed": 13,
    "run_name": "named", "max_hours": 5.0, "checkpoint_steps": 1, "deterministic": True, "quiet": True,
}  # fmt: skip
TRAINED: dict[str, Any] = {
    "config_name": "ecf", "candidates": "past", "modalities": "t", "scorer": "dialogue", "encoder_mode": "trained",
    "frozen_layers": 1, "text_layers": "-1", "max_tokens": 9, "hidden_size": 8, "num_heads": 2, "num_layers": 0,
    "pair_scorer": "biaffine", "pair_size": 5, "distance_prior": False, "objective": "utterance_dropout",
    "class_weighting": "none", "epochs": 1, "decision": "argmax", "selection": "pair_auprc",
    "mixed_precision": "bf16", "encoder_learning_rate": 0.012, "layer_decay": 0.9, "quiet": False, "seed": 14,
    "gradient_checkpointing": True,
}  # fmt: skip
ISOLATED: dict[str, Any] = {
    "config_name": "3class", "modalities": "ta", "scorer": "isolated", "segment_pooling": "mean", "max_tokens": 64,
    "hidden_size": 9, "dropout": 0.22, "frozen_layers": 1, "class_weighting": "sqrt", "epochs": 1, "batch_size": 5,
    "batch_tokens": 377, "evidence_removal": True, "decision": "argmax", "quiet": True, "seed": 15,
    "gradient_checkpointing": True,
}  # fmt: skip

ECERC: dict[str, Any] = {
    "config_name": "iemocap", "validation": "first_tenth", "emotions": "common", "modalities": "tav",
    "max_missing_features": 0.02,
    "scorer": "ecerc", "encoder_mode": "frozen", "text_layers": "1", "max_tokens": 6, "hidden_size": 12,
    "num_layers": 2, "dropout": 0.21, "dropout_evidence": 0.22, "dropout_features": 0.23, "positions": "on",
    "empty_rows": "uniform", "meld_slots": "released", "query": "context", "ablation": "own_evidence_gate",
    "protocol": "released", "class_weights": "train", "focal_gamma": 1.5, "epochs": 2, "patience": 9,
    "selection": "macro_f1", "round_selection": True, "optimizer": "adam", "schedule": "constant",
    "stop_on": "score_and_loss", "batch_size": 1, "eval_batch_size": 3, "gradient_accumulation_steps": 2,
    "learning_rate": 0.011, "weight_decay": 0.013, "decay_everything": False, "warmup_ratio": 0.5,
    "max_grad_norm": 0.7, "weight_averaging": 0.77, "seed": 13, "run_name": "named", "max_hours": 5.0,
    "checkpoint_steps": 1, "deterministic": True, "quiet": True, "train_folds": 2,
}  # fmt: skip
TRANSFORMER: dict[str, Any] = {
    "config_name": "ecf", "modalities": "t", "scorer": "emotion_transformer", "encoder_mode": "trained",
    "frozen_layers": 1, "text_layers": "-1", "max_tokens": 9, "hidden_size": 8, "num_heads": 2, "num_layers": 1,
    "context": "full", "layer_decay": 0.9, "epochs": 1, "optimizer": "adamw", "schedule": "linear", "stop_on": "score",
    "encoder_learning_rate": 0.012, "mixed_precision": "bf16", "class_weights": "none", "quiet": False, "seed": 14,
    "gradient_checkpointing": True,
}  # fmt: skip
STORES: dict[str, Any] = {
    "config_name": "ecf", "modalities": "t", "scorer": "ecerc", "hidden_size": 4, "epochs": 1, "quiet": True,
    "seed": 15,
}  # fmt: skip
EXPLANATION: dict[str, Any] = {
    "config_name": "ecgf", "emotions": "common", "meld_root": "meld", "ecf_root": "ecf", "ecf_map": "ecf/map.txt",
    "max_missing_features": 0.02, "gguf_file": "tiny.gguf", "projector": "mlp", "tuning": "lora", "lora_rank": 3,
    "lora_alpha": 5.0, "lora_dropout": 0.21, "max_length": 300, "context_turns": 2, "emotion": "predicted",
    "causes": "predicted", "max_new_tokens": 4, "num_beams": 2, "generation_batch_size": 5, "epochs": 2,
    "patience": 9, "batch_size": 1, "eval_batch_size": 3, "gradient_accumulation_steps": 2, "learning_rate": 0.011,
    "weight_decay": 0.013, "decay_everything": False, "warmup_ratio": 0.5, "max_grad_norm": 0.7,
    "weight_averaging": 0.77, "seed": 13, "run_name": "named", "max_hours": 5.0, "checkpoint_steps": 1,
    "deterministic": True, "quiet": True,
}  # fmt: skip
FACES: dict[str, Any] = {
    "config_name": "ecem", "scorer": "explanation", "chat_template": "plain", "tuning": "projector",
    "emotion": "none", "causes": "shuffled", "faces": "feature", "max_new_tokens": 3, "epochs": 1,
    "mixed_precision": "bf16", "quiet": False, "seed": 14, "gradient_checkpointing": True,
}  # fmt: skip
BEGUN: dict[str, Any] = {
    "config_name": "ecem", "tuning": "none", "shots": 2, "max_length": 301, "context_turns": 1, "causes": "last",
    "max_new_tokens": 3, "quiet": True, "seed": 15,
}  # fmt: skip
FRAME_SIZE, FACE_SIZE = 7, 6

# Option, name of the call, path to the value in its arguments; and the value, where it is not the option's own.
_Row = tuple[Any, ...]
DIALOGUE_ARRIVES: list[_Row] = [
    ("data_dir", "load_corpus", "data_dir"),
    ("config_name", "load_corpus", "config_name"),
    ("forward_pairs", "load_corpus", "forward_pairs"),
    ("emotions", "load_corpus", "emotions"),
    ("modalities", "model", "config.audio_size", AUDIO_SIZE),
    ("modalities", "model", "config.video_size", VIDEO_SIZE),
    ("modalities", "model", "config.text_size", 32),
    ("audio_features", "read_feature_table", "path"),
    ("video_features", "read_feature_table", "path"),
    ("max_missing_features", "select", "tolerance"),
    ("scorer", "find_scorer", "name"),
    ("encoder_mode", "encode_texts", "layers", [1]),
    ("text_encoder", "load_text_encoder", "name"),
    ("text_layers", "parse_layers", "text"),
    ("text_layers", "model", "config.text_layers", [1]),
    ("max_tokens", "tokenize_texts", "max_tokens"),
    ("max_tokens", "model", "config.max_tokens"),
    ("text_context", "with_text_context", "context.before"),
    ("text_context", "model", "config.text_context"),
    ("text_context_after", "with_text_context", "context.after"),
    ("text_context_after", "model", "config.text_context_after"),
    ("text_block", "with_text_context", "context.block"),
    ("text_block", "model", "config.text_block"),
    ("text_alone", "tokenize_texts_in_context", "alone"),
    ("text_alone", "model", "config.text_alone"),
    ("max_tokens", "with_text_context", "max_tokens"),
    ("max_tokens", "tokenize_texts_in_context", "max_tokens"),
    ("hidden_size", "model", "self.norm.normalized_shape", (12,)),
    ("num_layers", "model", "self.dialogue.__len__()"),
    ("num_heads", "layer", "heads"),
    ("dropout", "layer", "dropout"),
    ("dropout", "model", "self.input_dropout.p"),
    ("dropout", "model", "self.emotion_head.2.p"),
    ("dropout", "model", "self.pair_scorer.output.1.p"),
    ("pair_scorer", "model", "self.pair_scorer.__class__.__name__", "MlpPairScorer"),
    ("pair_size", "model", "self.pair_scorer.target.out_features"),
    ("bilinear_size", "model", "self.pair_scorer.bilinear.target.out_features"),
    ("pair_refinement", "model", "self.pair_refinement", None),
    ("max_distance", "model", "self.pair_scorer.max_distance"),
    ("max_distance", "distance_log_rates", "max_distance"),
    ("distance_prior", "begin_at_rates", "log_rates.shape", (5, 3)),
    ("objective", "objective_terms", "objective.title", "RPCL"),
    ("base_margin", "confidence_margin_ranking", "base_margin"),
    ("top_k", "confidence_margin_ranking", "top_k"),
    ("corruption_rate", "corrupt_context", "rate"),
    ("objective", "corrupt_context", "protect_gold", True),
    ("ranking_weight", "objective_terms", "weights.ranking_weight"),
    ("context_ranking_weight", "objective_terms", "weights.context_ranking_weight"),
    ("corrupted_supervision_weight", "corrupted_context_stability", "supervision_weight"),
    ("alignment_weight", "corrupted_context_stability", "alignment_weight"),
    ("emotion_category_weight", "strategy", "emotion_category_weight"),
    ("r_drop_weight", "strategy", "r_drop_weight"),
    ("class_weighting", "pair_class_weights", "weighting"),
    ("emotion_target", "dialogue_examples", "emotion_target"),
    ("epochs", "schedule", "steps", 2),
    ("batch_size", "RandomBatches", "batch_size"),
    ("eval_batch_size", "RandomBatches", "batch_size"),
    ("gradient_accumulation_steps", "Accelerator", "gradient_accumulation_steps"),
    ("learning_rate", "AdamW", "params.*.lr"),
    ("weight_decay", "AdamW", "params.*.weight_decay"),
    ("decay_everything", "AdamW", "params.*.weight_decay", 0.0),
    ("warmup_ratio", "schedule", "warmup_ratio"),
    ("max_grad_norm", "clip_grad_norm_", "max_norm"),
    ("weight_averaging", "averaged_model", "decay"),
    ("mixed_precision", "Accelerator", "mixed_precision", "no"),
    ("threshold", "pair_scores", "threshold"),
    ("seed", "set_seed", "seed"),
    ("seed", "set_seed in task", "seed"),
    ("seed", "RandomBatches", "seed"),
    ("deterministic", "set_seed", "deterministic"),
    ("deterministic", "set_seed in task", "deterministic"),
    ("cache_dir", "encode_texts", "cache_dir"),
    ("max_hours", "StopRequests", "max_hours"),
    ("checkpoint_steps", "save", "progress.batches", 2),
    ("output_dir", "Accelerator", "project_dir"),
    ("log_with", "Accelerator", "log_with"),
    ("quiet", "tqdm", "disable"),
]
TRAINED_ARRIVES: list[_Row] = [
    ("gradient_checkpointing", "recompute_activations", "model.text_encoder.__class__.__name__", "RobertaModel"),
    ("candidates", "load_corpus", "candidates"),
    ("encoder_mode", "model", "self.text_encoder.__class__.__name__", "RobertaModel"),
    ("encoder_learning_rate", "AdamW", "params.*.lr"),
    ("layer_decay", "depths", "encoder.__class__.__name__", "RobertaModel"),
    ("frozen_layers", "freeze_lowest", "count"),
    ("text_layers", "model", "config.text_layers", [2]),
    ("init_from", "load_initial_weights", "folder"),
    ("emotion_from", "read_emotion_inputs", "folder"),
    ("emotion_from", "model", "config.emotion_input_names", list(EMOTIONS)),
    ("emotion_from", "model", "self.emotion_projection.in_features", len(EMOTIONS)),
    ("pair_scorer", "model", "self.pair_scorer.__class__.__name__", "BiaffinePairScorer"),
    ("num_layers", "model", "self.dialogue.__len__()"),
    ("objective", "corrupt_context", "protect_gold", False),
    ("objective", "corrupted_context_stability", "supervision_weight", 0.0),
    ("class_weighting", "supervised_extraction", "pair_class_weights", None),
    ("mixed_precision", "Accelerator", "mixed_precision"),
    ("quiet", "tqdm", "disable"),
    ("seed", "set_seed", "seed"),
]
ISOLATED_ARRIVES: list[_Row] = [
    ("gradient_checkpointing", "recompute_activations", "model.text_encoder.__class__.__name__", "RobertaModel"),
    ("scorer", "find_scorer", "name"),
    ("segment_pooling", "isolated model", "config.segment_pooling"),
    ("max_tokens", "tokenize_segments", "max_tokens"),
    ("max_tokens", "isolated model", "config.max_tokens"),
    ("hidden_size", "isolated model", "self.branches.audio.project.0.out_features"),
    ("dropout", "isolated model", "self.output.0.p"),
    ("dropout", "isolated model", "self.branches.audio.project.3.p"),
    ("frozen_layers", "freeze_lowest", "count"),
    ("init_from", "load_initial_weights", "folder"),
    ("class_weighting", "pair_class_weights", "weighting"),
    ("batch_tokens", "LengthBatches", "budget"),
    ("evidence_removal", "tokenize_segments", "removed"),
    ("seed", "set_seed", "seed"),
    ("seed", "set_seed in task", "seed"),
]
ECERC_ARRIVES: list[_Row] = [
    ("data_dir", "load_corpus", "data_dir"),
    ("config_name", "load_corpus", "config_name"),
    ("validation", "load_corpus", "validation"),
    ("emotions", "load_corpus", "emotions"),
    ("modalities", "ecerc", "config.audio_size", AUDIO_SIZE),
    ("modalities", "ecerc", "config.video_size", VIDEO_SIZE),
    ("modalities", "ecerc", "config.text_size", 16),
    ("modalities", "ecerc", "config.event_size", 16),
    ("audio_features", "read_feature_table", "path"),
    ("video_features", "read_feature_table", "path"),
    ("max_missing_features", "select", "tolerance"),
    ("scorer", "find_scorer", "name"),
    ("text_encoder", "load_text_encoder", "name"),
    ("encoder_mode", "ecerc", "config.text_layers", [1]),
    ("text_layers", "ecerc", "config.text_layers", [1]),
    ("text_layers", "parse_layers", "text"),
    ("max_tokens", "tokenize_texts", "max_tokens"),
    ("hidden_size", "ecerc", "self.event_projection.out_features"),
    ("num_layers", "ecerc", "self.emotion_encoding.layers.__len__()"),
    ("dropout", "ecerc", "config.dropout"),
    ("dropout_evidence", "ecerc", "config.dropout_evidence"),
    ("dropout_features", "ecerc", "config.dropout_features"),
    ("positions", "ecerc", "config.positions", True),
    ("empty_rows", "ecerc", "config.empty_rows"),
    ("meld_slots", "ecerc", "config.meld_slots"),
    ("query", "ecerc", "config.query"),
    ("ablation", "ecerc", "config.ablation"),
    ("protocol", "emotion_run_results", "objective"),
    ("class_weights", "emotion_class_weights", "weighting"),
    ("focal_gamma", "emotion_loss", "gamma"),
    ("focal_gamma", "ecerc", "config.focal_gamma"),
    ("epochs", "schedule", "steps", 2),
    ("batch_size", "RandomBatches", "batch_size"),
    ("eval_batch_size", "RandomBatches", "batch_size"),
    ("gradient_accumulation_steps", "Accelerator", "gradient_accumulation_steps"),
    ("learning_rate", "Adam", "params.*.lr"),
    ("weight_decay", "Adam", "params.*.weight_decay"),
    ("decay_everything", "Adam", "params.*.weight_decay", 0.0),
    ("optimizer", "Adam", "params.*.lr", 0.011),
    ("schedule", "schedule", "falls", False),
    ("warmup_ratio", "schedule", "warmup_ratio"),
    ("max_grad_norm", "clip_grad_norm_", "max_norm"),
    ("weight_averaging", "averaged_model", "decay"),
    ("mixed_precision", "Accelerator", "mixed_precision", "no"),
    ("seed", "set_seed", "seed"),
    ("seed", "set_seed in task", "seed"),
    ("seed", "RandomBatches", "seed"),
    ("deterministic", "set_seed", "deterministic"),
    ("cache_dir", "encode_texts", "cache_dir"),
    ("checkpoint_steps", "save", "progress.batches", 2),
    ("output_dir", "Accelerator", "project_dir"),
    ("log_with", "Accelerator", "log_with"),
    ("quiet", "tqdm", "disable"),
    ("run_name", "emotion_run_results", "run_name"),
    ("train_folds", "write_emotion_run_predictions", "cross_fitted_folds"),
]
TRANSFORMER_ARRIVES: list[_Row] = [
    ("gradient_checkpointing", "recompute_activations", "model.text_encoder.__class__.__name__", "RobertaModel"),
    ("scorer", "find_scorer", "name"),
    ("encoder_mode", "emotion transformer", "self.text_encoder.__class__.__name__", "RobertaModel"),
    ("encoder_learning_rate", "AdamW", "params.*.lr"),
    ("optimizer", "AdamW", "params.*.lr", 0.012),
    ("schedule", "schedule", "falls", True),
    ("layer_decay", "depths", "encoder.__class__.__name__", "RobertaModel"),
    ("frozen_layers", "freeze_lowest", "count"),
    ("text_layers", "emotion transformer", "config.text_layers", [2]),
    ("max_tokens", "emotion transformer", "config.max_tokens"),
    ("init_from", "load_initial_weights", "folder"),
    ("num_heads", "layer", "heads"),
    ("hidden_size", "emotion transformer", "self.norm.normalized_shape", (8,)),
    ("context", "emotion transformer", "config.context"),
    ("class_weights", "emotion_loss", "class_weights", None),
    ("mixed_precision", "Accelerator", "mixed_precision"),
    ("quiet", "tqdm", "disable"),
]
STORES_ARRIVES: list[_Row] = [
    ("text_features", "read_feature_table", "path"),
    ("event_features", "read_feature_table", "path"),
    ("text_features", "ecerc", "config.text_size", AUDIO_SIZE),
    ("event_features", "ecerc", "config.event_size", VIDEO_SIZE),
]
EXPLANATION_ARRIVES: list[_Row] = [
    ("data_dir", "load_corpus", "data_dir"),
    ("config_name", "load_corpus", "config_name"),
    ("emotions", "load_corpus", "emotions"),
    ("meld_root", "load_corpus", "meld_root"),
    ("ecf_root", "load_corpus", "ecf_root"),
    ("ecf_map", "load_corpus", "ecf_map"),
    ("frames", "open frames", "path"),
    ("frames", "explanation model", "config.frame_size", FRAME_SIZE),
    ("max_missing_features", "require frames", "tolerance"),
    ("faces_table", "read faces", "path"),
    ("faces", "explanation_items", "faces.__name__", "line"),
    ("faces", "explanation model", "config.face_size", 0),
    ("language_model", "load_language_tokenizer", "name"),
    ("language_model", "from_parts", "language_model_name"),
    ("gguf_file", "load_language_tokenizer", "gguf_file"),
    ("gguf_file", "from_parts", "gguf_file"),
    ("chat_template", "encoder of explanations", "chat_template"),
    ("chat_template", "encoder of explanations", "has_video", True),
    ("projector", "explanation model", "config.projector"),
    ("tuning", "explanation model", "config.tuning"),
    ("tuning", "explanation_run_results", "objective"),
    ("lora_rank", "add_adapter", "rank"),
    ("lora_alpha", "add_adapter", "alpha"),
    ("lora_dropout", "add_adapter", "dropout"),
    ("max_length", "encoder of explanations", "max_length"),
    ("max_length", "explanation model", "config.max_length"),
    ("context_turns", "explanation_items", "context_turns"),
    ("emotion", "explanation_items", "emotion"),
    ("emotion_from", "emotions of explanations", "folder"),
    ("emotion_from", "explanation_items", "predicted_emotions.__len__()", 4 * (6 + 3 + 4)),
    ("causes", "explanation_items", "causes"),
    ("causes", "explanation_run_results", "causes"),
    ("causes_from", "predicted_causes", "folder"),
    ("causes_from", "explanation_items", "predicted_causes", {("train0", 3): (1, 2)}),
    ("causes_from", "explanation_run_results", "predicted_causes", {"validation": [()] * 4, "test": [()] * 5}),
    ("max_new_tokens", "generate_explanations", "max_new_tokens"),
    ("num_beams", "generate_explanations", "num_beams"),
    ("generation_batch_size", "fixed_batches", "batch_size"),
    ("epochs", "schedule", "steps", 8),
    ("batch_size", "RandomBatches", "batch_size"),
    ("eval_batch_size", "RandomBatches", "batch_size"),
    ("gradient_accumulation_steps", "Accelerator", "gradient_accumulation_steps"),
    ("learning_rate", "AdamW", "params.*.lr"),
    ("weight_decay", "AdamW", "params.*.weight_decay"),
    ("decay_everything", "AdamW", "params.*.weight_decay", 0.0),
    ("warmup_ratio", "schedule", "warmup_ratio"),
    ("max_grad_norm", "clip_grad_norm_", "max_norm"),
    ("weight_averaging", "averaged_model", "decay"),
    ("seed", "set_seed", "seed"),
    ("seed", "set_seed in task", "seed"),
    ("seed", "RandomBatches", "seed"),
    ("seed", "explanation_items", "seed"),
    ("deterministic", "set_seed", "deterministic"),
    ("deterministic", "set_seed in task", "deterministic"),
    ("max_hours", "StopRequests", "max_hours"),
    ("checkpoint_steps", "save", "progress.batches", 2),
    ("output_dir", "Accelerator", "project_dir"),
    ("log_with", "Accelerator", "log_with"),
    ("run_name", "explanation_run_results", "run_name"),
    ("quiet", "tqdm", "disable"),
    ("quiet", "tqdm in writing", "disable"),
]
FACES_ARRIVES: list[_Row] = [
    ("gradient_checkpointing", "recompute_activations", "model.__class__.__name__", "ExplanationModel"),
    ("scorer", "find_scorer", "name"),
    ("face_features", "face vectors", "path"),
    ("face_features", "explanation model", "config.face_size", FACE_SIZE),
    ("max_missing_features", "select", "tolerance"),
    ("faces", "explanation_items", "faces", None),
    ("chat_template", "encoder of explanations", "chat_template"),
    ("tuning", "explanation model", "config.tuning"),
    ("emotion", "explanation_items", "emotion"),
    ("causes", "explanation_items", "causes"),
    ("causes", "explanation_run_results", "causes"),
    ("mixed_precision", "Accelerator", "mixed_precision"),
    ("quiet", "tqdm", "disable"),
    ("quiet", "tqdm in writing", "disable"),
]
BEGUN_ARRIVES: list[_Row] = [
    ("init_from", "begun_model", "options.init_from"),
    ("init_from", "explanation model", "config.lora_rank", 3),
    ("init_from", "explanation model", "config.language_model_name.__class__", str),
    ("init_from", "explanation_run_results", "initialized_from.keys()", {"weights"}),
    ("tuning", "explanation_run_results", "objective", "lora as trained before, 2-shot"),
    ("tuning", "explanation_run_results", "epochs", 0),
    ("tuning", "explanation_run_results", "encoder_mode", "frozen"),
    ("shots", "with_examples", "count"),
    ("max_length", "encoder of explanations", "max_length"),
    ("context_turns", "explanation_items", "context_turns"),
    ("causes", "explanation_items", "causes"),
    ("causes", "explanation_run_results", "causes"),
    ("seed", "explanation_items", "seed"),
    ("max_new_tokens", "generate_explanations", "max_new_tokens"),
]
# Calls with several values, of which one is the option's; elsewhere all are.
SOME = {
    "Adam", "AdamW", "LengthBatches", "RandomBatches", "corrupted_context_stability", "encode_texts",
    "read_feature_table", "save", "tokenize_segments", "write_emotion_run_predictions",
}  # fmt: skip
# What no call of these runs shows, and where it is tested.
ELSEWHERE = {
    "patience": "training/test_loop.py",
    "selection": "training/test_pairs.py",
    "threshold_rule": "training/test_pairs.py",
    "decision": "training/test_pairs.py",
    "corruption_point": "below",
    "run_name": "below",
    "train_with": "pairs/test_further_corpora.py",
    "train_with_weights": "pairs/test_further_corpora.py",
    "train_with_other_languages": "pairs/test_further_corpora.py",
    "corpus_embedding": "pairs/test_further_corpora.py",
    "folds": "below",
    "fold": "below",
}

ELSEWHERE_OF_EMOTIONS = {
    "patience": "training/test_loop.py",
    "selection": "emotions/test_task.py",
    "round_selection": "emotions/test_task.py",
    "stop_on": "training/test_loop.py",
    "max_hours": "below",
}

ELSEWHERE_OF_EXPLANATIONS = {"patience": "training/test_loop.py"}

RECORDED: list[tuple[str, str, str]] = [
    ("load_corpus", "iemomecp_dataset.trainers.pairs.run_kind", "load_corpus"),
    ("find_scorer", "iemomecp_dataset.trainers.run", "find_scorer"),
    ("Accelerator", "iemomecp_dataset.trainers.training.distributed", "Accelerator"),
    ("set_seed", "iemomecp_dataset.trainers.training.distributed", "set_seed"),
    ("set_seed in task", "iemomecp_dataset.trainers.dialogue.task", "set_seed"),
    ("set_seed in task", "iemomecp_dataset.trainers.isolated.task", "set_seed"),
    ("read_feature_table", "iemomecp_dataset.trainers.encoders.vectors", "read_feature_table"),
    ("select", "iemomecp_dataset.features.store.feature_store", "FeatureTable.select"),
    ("read_emotion_inputs", "iemomecp_dataset.trainers.dialogue.task", "read_emotion_inputs"),
    ("load_text_encoder", "iemomecp_dataset.trainers.dialogue.task", "load_text_encoder"),
    ("parse_layers", "iemomecp_dataset.trainers.dialogue.task", "parse_layers"),
    ("tokenize_texts", "iemomecp_dataset.trainers.dialogue.task", "tokenize_texts"),
    ("tokenize_texts_in_context", "iemomecp_dataset.trainers.dialogue.task", "tokenize_texts_in_context"),
    ("with_text_context", "iemomecp_dataset.trainers.dialogue.task", "with_text_context"),
    ("encode_texts", "iemomecp_dataset.trainers.dialogue.task", "encode_texts"),
    ("dialogue_examples", "iemomecp_dataset.trainers.dialogue.task", "dialogue_examples"),
    ("distance_log_rates", "iemomecp_dataset.trainers.dialogue.task", "distance_log_rates"),
    ("freeze_lowest", "iemomecp_dataset.trainers.dialogue.task", "freeze_lowest"),
    ("freeze_lowest", "iemomecp_dataset.trainers.isolated.task", "freeze_lowest"),
    ("load_initial_weights", "iemomecp_dataset.trainers.dialogue.task", "load_initial_weights"),
    ("load_initial_weights", "iemomecp_dataset.trainers.isolated.task", "load_initial_weights"),
    ("pair_class_weights", "iemomecp_dataset.trainers.dialogue.task", "pair_class_weights"),
    ("pair_class_weights", "iemomecp_dataset.trainers.isolated.task", "pair_class_weights"),
    ("objective_terms", "iemomecp_dataset.trainers.dialogue.task", "objective_terms"),
    ("strategy", "iemomecp_dataset.trainers.dialogue.task", "DialogueStrategy.__init__"),
    ("model", "iemomecp_dataset.trainers.dialogue.modeling", "DialogueScorer.__init__"),
    ("layer", "iemomecp_dataset.trainers.dialogue.layers", "DialogueLayer.__init__"),
    ("begin_at_rates", "iemomecp_dataset.trainers.dialogue.modeling", "DialogueScorer.begin_at_distance_rates"),
    ("contextualize", "iemomecp_dataset.trainers.dialogue.modeling", "DialogueScorer._contextualize"),
    ("corrupt_context", "iemomecp_dataset.trainers.dialogue.modeling", "corrupt_context"),
    ("confidence_margin_ranking", "iemomecp_dataset.trainers.objectives", "confidence_margin_ranking"),
    ("corrupted_context_stability", "iemomecp_dataset.trainers.objectives", "corrupted_context_stability"),
    ("supervised_extraction", "iemomecp_dataset.trainers.objectives", "supervised_extraction"),
    ("supervised_extraction in scoring", "iemomecp_dataset.trainers.dialogue.task", "supervised_extraction"),
    ("load_corpus", "iemomecp_dataset.trainers.emotions.run_kind", "load_corpus"),
    ("set_seed in task", "iemomecp_dataset.trainers.emotions.task", "set_seed"),
    ("freeze_lowest", "iemomecp_dataset.trainers.emotions.task", "freeze_lowest"),
    ("load_initial_weights", "iemomecp_dataset.trainers.emotions.task", "load_initial_weights"),
    ("emotion_class_weights", "iemomecp_dataset.trainers.emotions.task", "emotion_class_weights"),
    ("emotion_loss", "iemomecp_dataset.trainers.emotions.task", "emotion_loss"),
    ("ecerc", "iemomecp_dataset.trainers.emotions.modeling_ecerc", "EcercModel.__init__"),
    ("emotion transformer", "iemomecp_dataset.trainers.emotions.modeling_transformer", "EmotionTransformer.__init__"),
    ("emotion_run_results", "iemomecp_dataset.trainers.emotions.run_kind", "emotion_run_results"),
    ("write_emotion_run_predictions", "iemomecp_dataset.trainers.emotions.run_kind", "write_emotion_run_predictions"),
    ("Adam", "torch.optim", "Adam.__init__"),
    ("isolated model", "iemomecp_dataset.trainers.isolated.modeling", "IsolatedScorer.__init__"),
    ("tokenize_segments", "iemomecp_dataset.trainers.isolated.task", "tokenize_segments"),
    ("mean_cross_entropy", "iemomecp_dataset.trainers.isolated.task", "mean_cross_entropy"),
    ("RandomBatches", "iemomecp_dataset.trainers.training.samplers", "RandomBatches.__init__"),
    ("LengthBatches", "iemomecp_dataset.trainers.training.samplers", "LengthBatches.__init__"),
    ("AdamW", "torch.optim", "AdamW.__init__"),
    ("depths", "iemomecp_dataset.trainers.training.loop", "depths"),
    ("schedule", "iemomecp_dataset.trainers.training.loop", "_LinearSchedule.__init__"),
    ("recompute_activations", "iemomecp_dataset.trainers.training.loop", "recompute_activations"),
    ("averaged_model", "iemomecp_dataset.trainers.training.loop", "averaged_model"),
    ("clip_grad_norm_", "accelerate", "Accelerator.clip_grad_norm_"),
    ("StopRequests", "iemomecp_dataset.trainers.training.loop", "StopRequests"),
    ("save", "iemomecp_dataset.trainers.training.checkpoints", "Checkpoints.save"),
    ("tqdm", "iemomecp_dataset.trainers.training.loop", "tqdm"),
    ("pair_scores", "iemomecp_dataset.trainers.training.pairs", "pair_scores"),
    ("open frames", "iemomecp_dataset.features.frames.store", "FrameStore.open"),
    ("require frames", "iemomecp_dataset.features.frames.store", "FrameStore.require"),
    ("read faces", "iemomecp_dataset.features.faces.table", "FaceTable.read"),
    ("face vectors", "iemomecp_dataset.trainers.explanation.inputs", "read_feature_table"),
    ("emotions of explanations", "iemomecp_dataset.trainers.explanation.inputs", "read_emotion_inputs"),
    ("set_seed in task", "iemomecp_dataset.trainers.explanation.task", "set_seed"),
    ("explanation_items", "iemomecp_dataset.trainers.explanation.task", "explanation_items"),
    ("with_examples", "iemomecp_dataset.trainers.explanation.task", "with_examples"),
    ("begun_model", "iemomecp_dataset.trainers.explanation.task", "begun_model"),
    ("encoder of explanations", "iemomecp_dataset.trainers.explanation.encoding", "ExplanationEncoder.__init__"),
    ("explanation model", "iemomecp_dataset.trainers.explanation.modeling_explanation", "ExplanationModel.__init__"),
    ("add_adapter", "iemomecp_dataset.trainers.explanation.modeling_explanation", "add_adapter"),
    ("fixed_batches", "iemomecp_dataset.trainers.explanation.writing", "fixed_batches"),
    ("generate_explanations", "iemomecp_dataset.trainers.explanation.writing", "generate_explanations"),
    ("tqdm in writing", "iemomecp_dataset.trainers.explanation.writing", "tqdm"),
]


class Recorded(SimpleNamespace):
    """A finished run: its options, corpus, folder and results; and its calls by name, as arguments by name."""

    options: RunSettings
    corpus: Corpus
    folder: Path
    results: RunResults
    calls: dict[str, list[dict[str, Any]]]

    def values(self, call: str, path: str) -> list[Any]:
        """The values at a path in the arguments of all calls of a name."""
        return [value for arguments in self.calls.get(call, []) for value in _at(arguments, path.split("."))]


def _at(value: Any, path: list[str]) -> list[Any]:
    if not path:
        return [value]
    part, *rest = path
    if part == "*":
        return [found for item in value for found in _at(item, rest)]
    if part.endswith("()"):
        value = getattr(value, part.removesuffix("()"))()
    elif isinstance(value, dict):
        value = value[part]
    else:
        value = value[int(part)] if part.isdigit() else getattr(value, part)
    return _at(value, rest)


@pytest.fixture(scope="module")
def recorded(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Recorded]:
    """Trains each run once and records its calls."""
    done: dict[str, Recorded] = {}

    def train(kind: str) -> Recorded:
        if kind not in done:
            folder = tmp_path_factory.mktemp(kind)
            begin = partial(_explain, kind) if kind in EXPLAINING else partial(_train, kind, encoder=tiny_encoder)
            done[kind] = begin(folder)
        return done[kind]

    return train


def _train(kind: str, folder: Path, encoder: Path) -> Recorded:
    data = write_vectors(folder / "data")
    flat = {"dialogue": DIALOGUE, "trained": TRAINED, "isolated": ISOLATED, "ecerc": ECERC,
            "transformer": TRANSFORMER, "stores": STORES}[kind]  # fmt: skip
    settings: type[RunSettings] = TrainingOptions if kind in KINDS else EmotionTrainingOptions
    flat = {**flat, "data_dir": str(data), "output_dir": str(folder / "run"), "text_encoder": str(encoder)}
    corpus = two_dialogue_corpus(3 if kind in ("dialogue", "isolated") else 2)
    features = {name: str(data / "features" / f"{name}.parquet") for name in ("audio", "video")}
    if kind == "stores":
        flat |= {"text_features": features["audio"], "event_features": features["video"]}
    elif kind in ("dialogue", "ecerc"):
        stores = {f"{name}_features": path for name, path in features.items()}
        flat |= {**stores, "cache_dir": str(folder / "cache")}
    else:
        if kind == "isolated":
            write_store(data / "audio-store", "audio", Path(features["audio"]))
            flat |= {"audio_features": str(data / "audio-store")}
        if kind == "trained":
            flat |= {"emotion_from": str(write_emotions(folder / "emotions", corpus.rows, corpus.name))}
        # A run to begin from: the same, untrained.
        begun = settings.from_flat({**flat, "output_dir": str(folder / "begun"), "quiet": True})
        assert run(begun, corpus) is not None
        flat |= {"init_from": str(folder / "begun")}
    return _recorded(settings, flat, corpus)


def _explain(kind: str, folder: Path) -> Recorded:
    """Trains a run that explains emotions."""
    rows = explained_dialogues()
    corpus = corpus_of(rows, config_name="ecem", candidates=None, emotion_names=EXPLAINED_EMOTIONS)
    ids = [u["utterance_id"] for of_split in rows.values() for row in of_split for u in row["utterances"]]
    random = np.random.default_rng(0)
    flat = {
        **{"explanation": EXPLANATION, "faces": FACES, "begun": BEGUN}[kind],
        "data_dir": str(folder / "data"),
        "output_dir": str(folder / "run"),
        "language_model": str(write_language_model(folder / "model")),
    }
    if kind == "explanation":
        with FrameStoreWriter(folder / "frames", size=FRAME_SIZE, model="random") as store:
            for utterance_id in ids:
                store.add(utterance_id, random.normal(size=(3, FRAME_SIZE)), n_frames=2)
        ones = np.ones(len(ids))
        table = FaceTable(("joy", "anger"), tuple(ids), ones.astype(int), ones, np.ones((len(ids), 4)),
                          np.full((len(ids), 2), 0.5), dict.fromkeys(ids, 1))  # fmt: skip
        table.write(folder / "faces.parquet")
        (folder / "model" / "tiny.gguf").write_bytes(b"not read")
        flat |= {"frames": str(folder / "frames"), "faces_table": str(folder / "faces.parquet"),
                 "emotion_from": str(write_emotions(folder / "emotions", rows, corpus.name)),
                 "causes_from": str(folder / "pairs")}  # fmt: skip
    elif kind == "begun":
        ExplanationModel.from_parts(flat["language_model"], tuning="lora", lora_rank=3).save_pretrained(
            folder / "first" / "model"
        )
        flat.pop("language_model")
        flat["init_from"] = str(folder / "first")
        flat = {**ExplanationTrainingOptions.defaults_for(flat), **flat}
    else:
        vectors = random.normal(size=(len(ids), FACE_SIZE)).astype(np.float32).tolist()
        pq.write_table(pa.table({"utterance_id": ids, "vector": vectors}), folder / "faces.parquet")
        flat |= {"face_features": str(folder / "faces.parquet")}
    return _recorded(ExplanationTrainingOptions, flat, corpus, _quick_explanations)


def _quick_explanations(patch: pytest.MonkeyPatch, calls: dict[str, list[dict[str, Any]]]) -> None:
    """No Java, no pair scorer, and weights that need not be expanded from GGUF."""
    build, base = explanation_results.explanation_run_results, ExplanationModel.from_parts
    patch.setattr(explanation_results, "explanation_run_results", partial(build, meteor=False))
    _record(patch, calls, "explanation_run_results", explanation_results.__name__, "explanation_run_results")

    def from_parts(language_model_name: str, *, gguf_file: str | None, **options: Any) -> Any:
        return base(language_model_name, **options)

    patch.setattr(ExplanationModel, "from_parts", from_parts)
    _record(patch, calls, "from_parts", modeling_explanation.__name__, "ExplanationModel.from_parts")
    patch.setattr(explanation_task, "load_language_tokenizer", lambda name, gguf_file: load_language_tokenizer(name))
    _record(patch, calls, "load_language_tokenizer", explanation_task.__name__, "load_language_tokenizer")
    patch.setattr(explanation_inputs, "predicted_causes", lambda folder, corpus: {("train0", 3): (1, 2)})
    _record(patch, calls, "predicted_causes", explanation_inputs.__name__, "predicted_causes")


def _recorded(
    settings: type[RunSettings],
    flat: dict[str, Any],
    corpus: Corpus,
    prepare: Callable[[pytest.MonkeyPatch, dict[str, list[dict[str, Any]]]], None] | None = None,
) -> Recorded:
    calls: dict[str, list[dict[str, Any]]] = {}
    AcceleratorState._reset_state(reset_partial_state=True)
    with pytest.MonkeyPatch.context() as patch:
        for name, module, attribute in RECORDED:
            _record(patch, calls, name, module, attribute)
        for module in (pair_kind, run_kind, explanation_kind):
            patch.setattr(module, "load_corpus", _loader(corpus, calls))
        if prepare is not None:
            prepare(patch, calls)
        options = settings.from_flat(flat)
        options.check()
        results = run(options)
        torch.use_deterministic_algorithms(False)
    AcceleratorState._reset_state(reset_partial_state=True)
    assert results is not None
    return Recorded(
        options=options, corpus=corpus, folder=Path(str(options.run.output_dir)), results=results, calls=calls
    )


def _record(
    patch: pytest.MonkeyPatch, calls: dict[str, list[dict[str, Any]]], name: str, module: str, attribute: str
) -> None:
    import importlib

    owner: Any = importlib.import_module(module)
    *classes, last = attribute.split(".")
    for part in classes:
        owner = getattr(owner, part)
    function = getattr(owner, last)
    try:
        signature: inspect.Signature | None = inspect.signature(function)
    except ValueError:
        signature = None

    def wrapper(*arguments: Any, **more: Any) -> Any:
        bound = more
        if signature is not None:
            given = signature.bind(*arguments, **more)
            given.apply_defaults()
            bound = given.arguments
            for parameter in signature.parameters.values():
                if parameter.kind is parameter.VAR_KEYWORD:
                    bound = {**bound, **bound.get(parameter.name, {})}
        noted = {key: list(value) if inspect.isgenerator(value) else value for key, value in bound.items()}
        if name == "save":  # what changes later is copied
            noted["progress"] = SimpleNamespace(**vars(noted["progress"]))
        if name in ("Adam", "AdamW"):
            noted["params"] = [dict(group) for group in noted["params"]]
        calls.setdefault(name, []).append(noted)
        return function(*arguments, **more)

    patch.setattr(owner, last, wrapper)


def _loader(corpus: Corpus, calls: dict[str, list[dict[str, Any]]]) -> Callable[..., Corpus]:
    def load_corpus(config_name: str, data_dir: str, **options: Any) -> Corpus:
        calls.setdefault("load_corpus", []).append({"config_name": config_name, "data_dir": data_dir, **options})
        return corpus

    return load_corpus


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        *(("dialogue", row) for row in DIALOGUE_ARRIVES),
        *(("trained", row) for row in TRAINED_ARRIVES),
        *(("isolated", row) for row in ISOLATED_ARRIVES),
        *(("ecerc", row) for row in ECERC_ARRIVES),
        *(("transformer", row) for row in TRANSFORMER_ARRIVES),
        *(("stores", row) for row in STORES_ARRIVES),
        *(("explanation", row) for row in EXPLANATION_ARRIVES),
        *(("faces", row) for row in FACES_ARRIVES),
        *(("begun", row) for row in BEGUN_ARRIVES),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value[:3])),
)
def test_an_option_reaches_its_call(kind: str, row: _Row, recorded: Callable[[str], Recorded]) -> None:
    found = recorded(kind)
    option, call, path, *expected = row
    value = expected[0] if expected else found.options.flat()[option]
    values = found.values(call, path)
    arrived = [_equal(one, value) for one in values]
    assert any(arrived), f"{call}({path}) was {values[:5]}"
    assert all(arrived) or call in SOME, f"{call}({path}) was {values[:5]}"


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, str) and isinstance(found, Path):
        return str(found) == expected
    return found is expected or (type(found) is not bool and bool(found == expected))


def test_every_option_is_looked_at() -> None:
    """A new option needs a row, which says what it is for."""
    looked_at = {row[0] for row in (*DIALOGUE_ARRIVES, *TRAINED_ARRIVES, *ISOLATED_ARRIVES)}
    assert looked_at | set(ELSEWHERE) == {f.name for section in SECTIONS.values() for f in fields(section)}
    of_emotions = {row[0] for row in (*ECERC_ARRIVES, *TRANSFORMER_ARRIVES, *STORES_ARRIVES)}
    sections = EmotionTrainingOptions.sections().values()
    assert of_emotions | set(ELSEWHERE_OF_EMOTIONS) == {f.name for section in sections for f in fields(section)}
    of_explanations = {row[0] for row in (*EXPLANATION_ARRIVES, *FACES_ARRIVES, *BEGUN_ARRIVES)}
    sections = ExplanationTrainingOptions.sections().values()
    assert of_explanations | set(ELSEWHERE_OF_EXPLANATIONS) == {f.name for section in sections for f in fields(section)}


def test_the_texts_of_ecerc_are_encoded_twice_and_the_time_limit_is_that_of_all_folds(
    recorded: Callable[[str], Recorded],
) -> None:
    found = recorded("ecerc")
    assert found.values("encode_texts", "layers") == [[1], [2]] * 3, "text and event, of the run and of two folds"
    hours = found.values("StopRequests", "max_hours")
    assert hours[0] == 5.0
    assert len(hours) == 3
    assert hours == sorted(set(hours), reverse=True)
    assert min(hours) > 4.9


def test_the_corrupted_view_begins_where_it_is_asked_to(recorded: Callable[[str], Recorded]) -> None:
    for kind, again in (("dialogue", 1), ("trained", 0)):
        calls = recorded(kind).calls
        trained, scored = len(calls["supervised_extraction"]), len(calls["supervised_extraction in scoring"])
        assert len(calls["corrupt_context"]) == trained > 0
        assert len(calls["contextualize"]) == (1 + again) * trained + scored


def test_what_is_fitted_before_training_is_fitted_on_train_alone(recorded: Callable[[str], Recorded]) -> None:
    found = recorded("dialogue")
    pairs = [(pair["target_turn"] - pair["cause_turn"], pair["label"])
             for row in two_dialogues()["train"] for pair in row["pairs"]]  # fmt: skip
    counts = np.array([[sum(pair == (d, label) for pair in pairs) for label in range(3)] for d in range(2)])
    (rates,) = found.values("begin_at_rates", "log_rates")
    for distance in range(2):
        smoothed = counts[distance] + 0.5
        np.testing.assert_allclose(rates[2 + distance].exp(), smoothed / smoothed.sum(), rtol=1e-5)
    assert recorded("trained").values("begin_at_rates", "log_rates") == [], "where it is switched off"

    of_classes = np.bincount([label for _, label in pairs], minlength=3)
    expected = np.minimum(10, np.sqrt(of_classes.mean() / of_classes))
    for kind, call, argument in (
        ("dialogue", "supervised_extraction", "pair_class_weights"),
        ("isolated", "mean_cross_entropy", "class_weights"),
    ):
        weights = [w for w in recorded(kind).values(call, argument) if w is not None]
        assert weights, "in training"
        assert all(np.allclose(w, expected) for w in weights)


def test_labels_of_the_heads_are_those_asked_for(recorded: Callable[[str], Recorded]) -> None:
    for kind, emotional in (("dialogue", None), ("trained", 1)):
        found = recorded(kind)
        for call in found.calls["supervised_extraction"]:
            labels, mask = call["pair_labels"], call["mask"]
            gold = labels == 0
            gold[:, 0][torch.arange(len(gold)), mask.sum(1) - 1] = True  # the pair outside the candidates
            turns = torch.arange(1, mask.shape[1] + 1).expand_as(mask)
            expected = gold.any(2) if emotional is None else (turns % 2 == 0)
            assert torch.equal(call["emotion_labels"].bool() & mask, expected & mask)
            assert torch.equal(call["cause_labels"].bool() & mask, gold.any(1) & mask)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_leaves_what_it_found(kind: str, recorded: Callable[[str], Recorded]) -> None:
    found = recorded(kind)
    options, results = found.options.flat(), found.results
    for name in ("scorer", "objective", "modalities", "encoder_mode", "seed", "text_encoder", "config_name"):
        assert getattr(results, name) == options[name], name
    assert results.run_name == {"dialogue": "named"}.get(kind, "run")
    rule = {"value": 0.31, "chosen_on": "fixed"} if kind == "dialogue" else {"value": None, "chosen_on": None}
    assert dict(results.threshold) == rule
    log = [json.loads(line) for line in (found.folder / "log.jsonl").read_text().splitlines()]
    assert results.epochs == len(log) == options["epochs"]
    best = max(log, key=lambda event: (event["validation"][options["selection"]], -event["epoch"]))
    assert results.best_epoch == best["epoch"] == log[-1]["best_epoch"]
    rows = two_dialogues(2 if kind == "trained" else 3)
    for split, sizes in SIZES.items():
        counts = dict(results.counts[split])
        pairs = [pair for row in rows[split] for pair in row["pairs"]]
        assert counts.items() >= {
            "dialogues": 2, "utterances": sum(sizes), "candidates": len(pairs), "missed_positives": 2,
            "gold_pairs": sum(pair["label"] == 0 for pair in pairs) + 2,
        }.items()  # fmt: skip
    assert dict(results.data_fingerprint) == found.corpus.fingerprints
    assert (results.synthetic, results.license_text_shareable) == (False, False)
    config = json.loads((found.folder / "model" / "config.json").read_text())
    assert (config["decision"], config.get("threshold")) == (
        ("threshold", 0.31) if kind == "dialogue" else ("argmax", None)
    )
    # Of the store's card what decides the vectors; of a Parquet file, and of what is not used, nothing.
    extractor = config["audio_extractor"]
    assert (extractor and (extractor["model"], extractor["settings"])) == (
        ("someone/encoder", {"layers": "4,-1", "pooling": "max"}) if kind == "isolated" else None
    )
    assert config["video_extractor"] is None
    seen = max(len(row["utterances"]) for row in rows["train"])
    assert (config["candidates"], config["longest_dialogue"], config["synthetic"]) == ("past", seen, False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", ["validation", "test"])
def test_predictions_are_of_the_rows_pairs_and_give_the_scores(
    kind: str, split: str, recorded: Callable[[str], Recorded]
) -> None:
    found = recorded(kind)
    table = pq.read_table(found.folder / f"predictions_{split}.parquet")
    written = table.to_pydict()
    rows = two_dialogues(2 if kind == "trained" else 3)[split]
    expected = [
        (row["dialogue_id"], row["source_dialogue_id"], pair["target_turn"], pair["cause_turn"], pair["label"])
        for row in rows
        for pair in row["pairs"]
    ]
    names = ("dialogue_id", "source_dialogue_id", "target_turn", "cause_turn", "label")
    assert list(zip(*(written[name] for name in names), strict=True)) == expected
    class_names = found.results.class_names
    probabilities = np.stack([written[f"prob_{name}"] for name in class_names], axis=1)
    assert len(np.unique(probabilities[:, 0])) > 3
    scores = pair_scores(
        probabilities, written["label"], class_names, threshold=found.results.threshold["value"], missed_positives=2
    )
    assert scores == found.results.metrics[split]
    about = json.loads(table.schema.metadata[b"iemomecp"])
    assert (about["split"], about["missed_positives"], about["threshold"]) == (
        split, 2, found.results.threshold["value"]
    )  # fmt: skip
    assert about.get("evidence") is None


@pytest.mark.parametrize("kind", ["dialogue", "isolated"])
def test_the_saved_model_predicts_what_the_run_has_written(kind: str, recorded: Callable[[str], Recorded]) -> None:
    found = recorded(kind)
    features = Path(str(found.options.data.data_dir)) / "features"
    vectors = {name: features / f"{name}.parquet" for name in ("audio", "video")}
    if kind == "isolated":
        vectors.pop("video")
    probabilities = predict(found.folder, two_dialogues()["test"], batch_size=2, **vectors)
    written = pq.read_table(found.folder / "predictions_test.parquet")
    expected = np.stack([written[f"prob_{name}"].to_numpy() for name in found.results.class_names], axis=1)
    np.testing.assert_allclose(np.concatenate(probabilities), expected, atol=1e-5)
    assert [len(of_row) for of_row in probabilities] == [len(row["pairs"]) for row in two_dialogues()["test"]]


@pytest.mark.parametrize(
    ("splits", "chosen_on"), [(("train", "validation", "test"), "validation"), (("train", "test"), "train")]
)
def test_the_record_says_where_the_threshold_was_chosen(
    splits: tuple[str, ...], chosen_on: str, tmp_path: Path
) -> None:
    options = TrainingOptions.from_flat(
        {"data_dir": str(write_vectors(tmp_path / "data")), "output_dir": str(tmp_path / "run"), "modalities": "a",
         "hidden_size": 8, "num_heads": 2, "epochs": 1, "quiet": True}
    )  # fmt: skip
    corpus = two_dialogue_corpus(2, splits)
    results = run(options, corpus)
    assert results is not None
    assert results.threshold["chosen_on"] == chosen_on
    written = pq.read_table(tmp_path / "run" / "predictions_test.parquet")
    about = json.loads(written.schema.metadata[b"iemomecp"])
    assert (about["threshold_chosen_on"], about["threshold"]) == (chosen_on, results.threshold["value"])
    assert results.missing_splits == tuple(split for split in SIZES if split not in splits)


def test_emotions_of_another_run_reach_model_record_baseline_and_card(recorded: Callable[[str], Recorded]) -> None:
    found = recorded("trained")
    emotions = read_emotion_inputs(str(found.options.model.emotion_from), found.corpus)
    rows = found.corpus.rows["test"]
    probabilities = predict(found.folder, rows, emotions=emotions.probabilities["test"], batch_size=2)
    written = pq.read_table(found.folder / "predictions_test.parquet")
    expected = np.stack([written[f"prob_{name}"].to_numpy() for name in found.results.class_names], axis=1)
    np.testing.assert_allclose(np.concatenate(probabilities), expected, atol=0.02)  # it was scored in bfloat16
    other = [1 - values / 2 for values in emotions.probabilities["test"]]
    other = [values / values.sum(axis=1, keepdims=True) for values in other]
    changed = np.concatenate(predict(found.folder, rows, emotions=other))
    assert not np.array_equal(changed, np.concatenate(probabilities))
    with pytest.raises(MissingDataError, match="give emotions="):
        predict(found.folder, rows)
    assert found.results.features["emotion"]["digest"] == emotions.digest
    assert system_of(found.results)["emotion_features"] == emotions.digest[:12]
    baseline = found.results.structural_baselines["emotion_x_distance_run"]
    assert baseline["display_name"] == "emotion x distance (emotions)"
    assert set(baseline["splits"]) == set(SIZES)
    assert "emotion_x_distance_run" not in recorded("dialogue").results.structural_baselines
    card = (found.folder / "model" / "README.md").read_text(encoding="utf-8")
    assert "predict(model, rows, emotions=emotions)" in card
    assert str(found.options.model.emotion_from) not in card
    assert any("takes emotions from" in leak for leak in found.results.extra["leaks"])


def test_emotions_of_another_run_are_refused_by_models_that_do_not_take_them(tmp_path: Path) -> None:
    asked = {"data_dir": str(tmp_path), "output_dir": str(tmp_path / "run"), "emotion_from": str(tmp_path)}
    with pytest.raises(UsageError, match="--emotion_from belongs to the dialogue scorer"):
        TrainingOptions.from_flat({**asked, "scorer": "isolated"}).check()


def test_the_record_of_explanations_states_whose_causes_they_read(recorded: Callable[[str], Recorded]) -> None:
    found = recorded("explanation")
    pairs = str(found.options.flat()["causes_from"])
    leaks = found.results.extra["leaks"]
    assert any(f"Cause turns are predicted by {pairs}, whose data is unknown" in leak for leak in leaks)
    assert any(f"training data of {pairs}" in leak for leak in leaks)
    assert not any("Cause turns" in leak for leak in recorded("faces").results.extra["leaks"])


def test_texts_that_are_cut_are_counted(recorded: Callable[[str], Recorded]) -> None:
    found = recorded("dialogue")
    tokenizer = found.values("tokenize_texts", "tokenizer")[0]
    for split, rows in two_dialogues().items():
        lengths = [len(tokenizer(u["text"])["input_ids"]) for row in rows for u in row["utterances"]]
        assert found.results.counts[split]["truncated_utterances"] == sum(n > 6 for n in lengths)
    assert any(found.results.counts[split]["truncated_utterances"] for split in SIZES)
    # A sequence of six tokens has room for few turns.
    for split, rows in two_dialogues().items():
        utterances = sum(len(row["utterances"]) for row in rows)
        assert 0 < found.results.counts[split]["shortened_contexts"] <= utterances
    assert "shortened_contexts" not in recorded("trained").results.counts["test"]
    # Of the isolated scorer's segments some are cut, and the rest differ in length.
    counts = recorded("isolated").results.counts["test"]
    assert 0 < counts["truncated_pairs"] < counts["candidates"]
    assert "frozen" in found.results.structural_baselines["emotion_x_distance"]["display_name"]
    assert "TF-IDF" in recorded("trained").results.structural_baselines["emotion_x_distance"]["display_name"]


def test_evidence_is_removed_from_text_and_vectors(recorded: Callable[[str], Recorded]) -> None:
    found = recorded("isolated")
    whole, removed = (pq.read_table(found.folder / f"predictions_test{name}.parquet") for name in ("", "_removed"))
    assert json.loads(removed.schema.metadata[b"iemomecp"])["evidence"] == "candidate removed"
    assert not removed["prob_emo_cause"].equals(whole["prob_emo_cause"])
    assert [bool(removal) for removal in found.values("tokenize_segments", "removed")] == [False, True]
    # Of one target, pairs whose candidates have the same speaker differ in nothing that is left.
    values = removed["prob_emo_cause"].to_numpy()
    for row in two_dialogues()["test"]:
        at = [n for n, name in enumerate(removed["dialogue_id"].to_pylist()) if name == row["dialogue_id"]]
        by_rest: dict[tuple[int, int], set[float]] = {}
        for n, pair in zip(at, row["pairs"], strict=True):
            by_rest.setdefault((pair["target_turn"], pair["cause_turn"] % 2), set()).add(round(float(values[n]), 5))
        assert all(len(same) == 1 for same in by_rest.values())
        assert len({next(iter(same)) for same in by_rest.values()}) > 1, "the target is still there"


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_continued_with_its_own_data_alone(kind: str, recorded: Callable[[str], Recorded]) -> None:
    found = recorded(kind)
    assert run(found.options, found.corpus) == found.results
    AcceleratorState._reset_state(reset_partial_state=True)
    other = two_dialogue_corpus(2 if kind == "trained" else 3)
    other.fingerprints["train"] = "changed"
    with pytest.raises(RunFolderError, match=r"reads something else: the content of train has changed"):
        run(found.options, other)
    AcceleratorState._reset_state(reset_partial_state=True)


def test_a_run_on_one_fold_takes_the_data_of_that_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = two_dialogues()
    whole = corpus_of({"train": rows["train"] + rows["test"], "validation": rows["validation"]}, config_name="3class",
                      emotion_names=EMOTIONS)  # fmt: skip
    folds = make_folds(whole, 4)
    write_folds(tmp_path / "folds.json", folds)
    loaded: dict[str, list[dict[str, Any]]] = {}
    monkeypatch.setattr(pair_kind, "load_corpus", _loader(whole, loaded))
    for fold in (1, 4):
        options = TrainingOptions.from_flat({"data_dir": "d", "folds": str(tmp_path / "folds.json"), "fold": fold})
        corpus = pair_kind.PairRun().corpus(options, None)
        assert corpus.fingerprints == fold_corpus(whole, folds, fold).fingerprints
        assert [folds.fold_of[row["dialogue_id"]] for row in corpus.rows["test"]] == [fold]
    assert [call["for_training"] for call in loaded["load_corpus"]] == [False, False]  # train may be absent
    for given in ({"folds": "f"}, {"fold": 1}, {"folds": "f", "fold": 1, "emotion_from": "runs/erc"}):
        with pytest.raises(UsageError, match=r"Give both, or neither|Leave one of the two out"):
            TrainingOptions.from_flat({"data_dir": "d", "output_dir": "o", **given}).check()
