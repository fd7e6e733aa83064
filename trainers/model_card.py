"""The card of a trained model, written from its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, cast

from iemomecp_dataset.benchmark.runs.results import ERC, RunResults, encoder_name
from iemomecp_dataset.markdown_text import markdown_text
from iemomecp_dataset.metrics.set_scores import DEFINITIONS
from iemomecp_dataset.metrics.signature_fields import NO_EPOCH_CHOSEN
from iemomecp_dataset.options import CONFIG_NAMES
from iemomecp_dataset.trainers.options import RunSettings, circumstances
from iemomecp_dataset.trainers.scorers import config_fields, find_scorer, is_built_in
from iemomecp_dataset.trainers.sharing.model_index import card_metadata, metadata_header

__all__ = ["model_card"]

_SCORES = ("pair_f1", "pair_precision", "pair_recall", "pair_auprc", "macro_f1")
_EMOTION_SCORES = ("weighted_f1", "accuracy", "macro_f1", "weighted_f1_without_neutral")

_EXPLANATION_SCORES = ("content_cider", "content_rouge_l", "content_bleu_4", "cider", "rouge_l", "bleu_4")

_PATHS = ("meld_root", "ecf_root", "ecf_map", "frames", "faces_table", "face_features")

_OF_TRAINING = ("scorer", "text_encoder", "encoder_mode", "init_from", "frozen_layers")
"""Model options that apply to every scorer: training uses them, so that no configuration needs to declare them."""

_CONVERSATION = [
    "utterances = [",
    '    {"turn": 1, "utterance_id": "1", "speaker": "A", "text": "We have missed the last train."},',
    '    {"turn": 2, "utterance_id": "2", "speaker": "B", "text": "Oh no, not again!"},',
    "]",
    'rows = [{"dialogue_id": "example", "utterances": utterances}]  # or those of iemomecp_dataset.load',
]

_PIPELINE = [
    "```python",
    "import iemomecp_dataset",
    "from transformers import pipeline",
    "",
    'find_pairs = pipeline("emotion-cause-pairs", model="path/to/this/folder")',
    "conversation = [",
    '    {"speaker": "A", "text": "We have missed the last train."},',
    '    {"speaker": "B", "text": "Oh no, not again!"},',
    "]",
    "predicted = find_pairs(conversation)",
    "for pair in predicted.pairs:",
    "    if pair.decided:",
    "        print(pair.target_turn, pair.cause_turn, pair.role, pair.probability)",
    "```",
    "",
    "Or the probabilities of all pairs, of many dialogues with ids:",
    "",
]


def model_card(results: RunResults, options: RunSettings) -> str:
    """Writes the card of a pair scorer, or of a model that recognises or explains emotions.

    Args:
        results: The run's results.
        options: Its options.

    Returns:
        Markdown with the header that the Hugging Face Hub reads.
    """
    synthetic = results.synthetic
    scores, use = _PARTS.get(results.task, _PARTS["pairs"])
    described = [
        results.scorer if results.task in (ERC, "explanation") else f"{results.scorer} scorer",
        *([results.objective] if results.objective else []),
        "+".join(results.modalities.upper()),
    ]
    header = [
        metadata_header(card_metadata(results)),
        f"# {markdown_text(results.run_name)}: {markdown_text(', '.join(described))}",
        "",
    ]
    if synthetic:
        header += [
            "**Trained on SYNTHETIC dialogues that a program made: for trying the software, its scores say nothing "
            "about real conversations.**",
            "",
        ]
    return "\n".join(
        [*header, *_data(results), *scores(results), *use(results), *_settings(options, results), *_terms(results)]
    )


def _data(results: RunResults) -> list[str]:
    prints = ", ".join(f"{split} `{digest[:12]}`" for split, digest in results.data_fingerprint.items())
    candidates = f" Candidates: {results.candidates}." * bool(results.candidates)
    lines = ["## Data", "", markdown_text(results.data_statement), "", f"Fingerprints: {prints}.{candidates}", ""]
    return lines + _further_data(results)


def _further_data(results: RunResults) -> list[str]:
    """A table of the further corpora that a model was trained with; nothing for a model of one corpus."""
    if not results.trained_with:
        return []
    lines = [
        f"It was trained on dialogues of further corpora, too. Validation and test, class weights, distance prior and "
        f"structural baselines are those of {markdown_text(results.corpus)} alone.",
        "",
        "| corpus | split | candidates | dialogues | in an epoch | utterances | gold pairs | left out as validation or "
        "test have them | fingerprint |",
        "|---|---|---|---:|---:|---:|---:|---:|---|",
    ]
    counted = ("dialogues", "dialogues_per_epoch", "utterances", "gold_pairs")
    for facts in results.trained_with.values():
        excluded = sum(len(ids) for ids in facts.get("excluded", {}).values())
        cells = [
            *(markdown_text(str(facts.get(name, ""))) for name in ("corpus", "split", "candidates", *counted)),
            str(excluded),
            f"`{str(facts.get('data_fingerprint', ''))[:12]}`",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if results.settings.get("corpus_embedding"):
        lines += ["", f"Each corpus has a learned vector; new dialogues are scored as those of {results.corpus}."]
    return [*lines, ""]


def _scores(results: RunResults) -> list[str]:
    value = results.threshold["value"]
    decision = (
        "the most probable class is predicted"
        if value is None
        else f"a pair is positive when P({results.class_names[0]}) >= {value:.4f} ({results.threshold['chosen_on']})"
    )
    lines = [
        "## Scores",
        "",
        f"In percent. Pair F1 is definition {results.definition}: "
        f"{DEFINITIONS.get(results.definition, 'not described')}. Decision: {decision}; epoch {results.best_epoch} of "
        f"{results.epochs}. Structural baselines score a pair by the distance of its two turns alone; emotion x "
        "distance also uses an emotion detector on the target utterance.",
        "",
        *_table(results, _SCORES),
    ]
    return [*lines, ""]


def _emotion_scores(results: RunResults) -> list[str]:
    chosen = results.epoch_chosen_on
    best = f"the epoch with the best {results.settings.get('selection', 'weighted_f1')} on {chosen}"
    epoch = "the last epoch" if chosen in (None, NO_EPOCH_CHOSEN) else best
    return [
        "## Scores",
        "",
        f"In percent, over all utterances whose emotion is known, neutral included; the most probable emotion is "
        f"predicted. The model is that of {epoch}, {results.best_epoch} of {results.epochs}.",
        "",
        *_table(results, _EMOTION_SCORES),
        "",
    ]


def _table(results: RunResults, names: tuple[str, ...], factor: float = 100, digits: int = 2) -> list[str]:
    lines = [f"| split | system | {' | '.join(names)} |", f"|---|---|{'---:|' * len(names)}"]
    for split, metrics in results.metrics.items():
        lines.append(_row(split, "this model", metrics, names, factor, digits))
        for name, baseline in results.structural_baselines.items():
            if split in baseline["splits"]:
                title = f"structural: {markdown_text(str(baseline.get('display_name', name)))}"
                lines.append(_row(split, title, baseline["splits"][split], names, factor, digits))
    return lines


def _row(
    split: str, system: str, metrics: Mapping[str, Any], names: tuple[str, ...], factor: float, digits: int
) -> str:
    cells = [
        "n/a" if metrics.get(name) is None or metrics[name] != metrics[name] else f"{factor * metrics[name]:.{digits}f}"
        for name in names
    ]
    return f"| {split} | {system} | {' | '.join(cells)} |"


def _use(results: RunResults) -> list[str]:
    features = "".join(
        f', {name}="local_data/features/{name}.parquet"'
        for letter, name in (("a", "audio"), ("v", "video"))
        if letter in results.modalities
    )
    features += ", emotions=emotions" * ("emotion" in results.features)
    corpus = bool(features) and results.config_name in CONFIG_NAMES
    if corpus:
        rows = [f'rows = iemomecp_dataset.load("{results.config_name}", data_dir="local_data", split="test")']
    else:
        rows = _CONVERSATION
    value = results.threshold["value"]
    decided = "matrix.argmax(axis=1) == 0" if value is None else "matrix[:, 0] >= model.config.threshold"
    classes = ", ".join(f"{i} {name}" for i, name in enumerate(results.class_names))
    rule = "argmax" if value is None else f"threshold, model.config.threshold is {value:.4f}"
    text, registration = _registration(results.scorer)
    by_pipeline = [] if features or not is_built_in(results.scorer) else _PIPELINE
    return [
        "## Use",
        "",
        *text,
        *by_pipeline,
        "```python",
        *registration,
        "import iemomecp_dataset",
        "from iemomecp_dataset.trainers import predict",
        "from transformers import AutoModel",
        "",
        'model = AutoModel.from_pretrained("path/to/this/folder")',
        *rows,
        f"probabilities = predict(model, rows{features})  # one (pairs, {len(results.class_names)}) array per dialogue",
        f"positive = [{decided} for matrix in probabilities]",
        "```",
        "",
        f"Columns are those of `model.config.id2label`: {classes}. Decision rule, `model.config.decision`: {rule}."
        + ("" if corpus else " Without `pairs` in a row, all pairs are scored, in (target, cause) order.")
        + (_EMOTIONS.format(results.features["emotion"]["model"]) if "emotion" in results.features else ""),
        "",
    ]


def _emotion_use(results: RunResults) -> list[str]:
    # What has a digest is read from a store; texts may come from the encoder.
    streams = [name for name, facts in results.features.items() if "digest" in facts]
    features = "".join(f', {name}="local_data/features/{name}.parquet"' for name in streams)
    rows = _CONVERSATION
    if features and results.config_name in CONFIG_NAMES:
        load = f'iemomecp_dataset.load("{results.config_name}", data_dir="local_data", split="test")'
        rows = [f"rows = iemomecp_dataset.whole_dialogues({load})"]
    classes = ", ".join(f"{i} {name}" for i, name in enumerate(results.class_names))
    return [
        "## Use",
        "",
        "```python",
        "import iemomecp_dataset",
        "from iemomecp_dataset.trainers import predict",
        "from transformers import AutoModel",
        "",
        'model = AutoModel.from_pretrained("path/to/this/folder")',
        *rows,
        f"probabilities = predict(model, rows{features})",
        "emotions = [[model.config.id2label[i] for i in matrix.argmax(axis=1)] for matrix in probabilities]",
        "```",
        "",
        f"One (utterances, {len(results.class_names)}) array per dialogue; columns are those of "
        f"`model.config.id2label`: {classes}. A row is a whole dialogue; dialogues that are cut into chunks are "
        "rejoined with `iemomecp_dataset.whole_dialogues` before.",
        "",
    ]


def _explanation_scores(results: RunResults) -> list[str]:
    chosen = results.epoch_chosen_on
    best = f"the epoch with the lowest loss per token on {chosen}"
    epoch = "the last epoch" if chosen in (None, NO_EPOCH_CHOSEN) else best
    kept = f"The model is that of {epoch}, {results.best_epoch} of {results.epochs}."
    if not results.epochs:
        kept = f"This run has trained nothing ({results.objective})."
    return [
        "## Scores",
        "",
        "Content scores leave out the opening up to that or because, which most references share and which a sentence "
        "without any content repeats: compare with the structural rows. CIDEr is 0 to 10, the others 0 to 1, and of "
        f"one set of references alone. {kept}",
        "",
        *_table(results, _EXPLANATION_SCORES, factor=1, digits=4),
        "",
    ]


def _explanation_use(results: RunResults) -> list[str]:
    emotion, causes = results.settings.get("emotion", "gold"), results.settings.get("causes", "none")
    faces = {"label": "faces_table", "feature": "face_features"}
    stores = ["frames"] if "video" in results.features else []
    if "faces" in results.features:
        stores.append(faces[results.features["faces"]["settings"]["as"]])
    places = {"frames": "frames", "faces_table": "faces.parquet", "face_features": "faces"}
    given = "".join(f', {name}="local_data/features/{places[name]}"' for name in stores)
    given += ", emotions=emotions" * (emotion == "predicted")
    given += ', causes_from="path/to/a/pair/run"' * (causes == "predicted")
    marked = causes in ("gold", "shuffled")
    if stores and results.config_name in CONFIG_NAMES:
        more = ', ecf_root="local_data/ECF"' * (marked and results.config_name == "ecem")
        rows = [f'rows = iemomecp_dataset.load("{results.config_name}", data_dir="local_data"{more}, split="test")']
    else:
        pairs = ', "pairs": [{"target_turn": 2, "cause_turn": 1, "label": 0}]' * marked
        told = ("neutral", "sadness") if emotion == "gold" else (None, None)
        rows = [
            line if name is None else line.replace('"},', f'", "emotion": "{name}"}},')
            for line, name in zip(_CONVERSATION, (None, *told, None, None), strict=True)
        ]
        rows[-1] = rows[-1].replace('"utterances": utterances', f'"utterances": utterances{pairs}')
        if emotion != "gold":
            given = ", targets=[[2]]" + given
    return [
        "## Use",
        "",
        "```python",
        "import iemomecp_dataset",
        "from iemomecp_dataset.trainers import predict",
        "",
        *rows,
        *['emotions = predict("path/to/an/emotion/run", rows)'] * (emotion == "predicted"),
        f'explanations = predict("path/to/this/folder", rows{given})',
        "for of_dialogue in explanations:",
        "    for explanation in of_dialogue:",
        "        print(explanation.dialogue_id, explanation.target_turn, explanation.prediction)",
        "```",
        "",
        "Explained are the complete explanations of the rows, or, where they have none, every emotional utterance, or "
        "what `targets=` names. "
        + "`emotions` has for each row an array of (utterances, emotions) probabilities in the order of "
        "`model.config.emotion_names`. "
        * (emotion == "predicted")
        + "Adapters are stored as adapters: the language model is loaded from where `language_model_name` of the "
        "configuration says, or from `language_model=`.",
        "",
    ]


_PARTS: Mapping[str, tuple[Callable[[RunResults], list[str]], Callable[[RunResults], list[str]]]] = {
    "pairs": (_scores, _use),
    ERC: (_emotion_scores, _emotion_use),
    "explanation": (_explanation_scores, _explanation_use),
}
"""By task the parts of the card that state scores and use."""

_EMOTIONS = (
    " `emotions` has for each row an array of (utterances, emotions) probabilities in the order of "
    "`model.config.emotion_input_names`, as the run {} predicts them."
)


def _registration(scorer: str) -> tuple[list[str], list[str]]:
    """For a scorer that is not one of this package: what has to happen before the model is loaded, and its code."""
    if is_built_in(scorer):
        return [], []
    model_class = find_scorer(scorer).load_model_class()
    name, module = model_class.__name__, model_class.__module__
    if module == "__main__":
        source, code = "the script or notebook that trained it", f"# First run the code that registers {name}."
    else:
        source, code = f"the module `{module}`", f"import {module}  # defines {name} and registers it"
    text = (
        f"The model class `{name}` is not part of this package but of {source}. Each new process has to define it and "
        f"register its scorer `{scorer}` with `iemomecp_dataset.trainers.register_scorer` before it loads the model."
    )
    return [text, ""], [code]


def _settings(options: RunSettings, results: RunResults) -> list[str]:
    scorer = find_scorer(options.model.scorer)
    left_out = {
        *("data_dir", "train_with", "train_with_weights", "train_with_other_languages"),
        *(f"{stream}_features" for stream in ("text", "event", "audio", "video")),
        *circumstances(type(options)),
        *options.without_effect(),
        *(_PATHS if options.task == "explanation" else _not_of_the_model(options)),
    }
    if options.task == ERC and not options.data.encodes_text:
        left_out |= {"text_encoder", "encoder_mode", "frozen_layers"}
    # Where an option was not given, what took effect.
    values = {
        name: results.settings.get(name, value) if value in (None, "auto") else value
        for name, value in options.flat().items()
    }
    settings = {name: value for name, value in values.items() if value is not None and name not in left_out}
    settings |= {name: encoder_name(settings[name]) for name in ("language_model", "causes_from") if name in settings}
    if "text_encoder" in settings:
        settings["text_encoder"] = encoder_name(options.model.text_encoder)
    if options.model.init_from:
        settings["init_from"] = encoder_name(options.model.init_from)
    emotion_from = getattr(options.model, "emotion_from", None)
    if emotion_from:
        settings["emotion_from"] = encoder_name(emotion_from)
    listing = ", ".join(f"{name} {markdown_text(str(value))}" for name, value in settings.items())
    cited = scorer.cite
    return ["## Settings", "", f"After {cited}: {listing}." if cited else f"{listing}.", ""]


def _not_of_the_model(options: RunSettings) -> set[str]:
    """Model options that the scorer does not have."""
    scorer = find_scorer(options.model.scorer)
    config_class, has = scorer.load_config_class(), set(_OF_TRAINING)
    if config_class is not None:
        has |= config_fields(config_class)
    if hasattr(scorer.load_model_class(), "begin_at_distance_rates"):
        has.add("distance_prior")
    if "corpus_names" in has and cast(Any, options.data).train_with:
        has.add("corpus_embedding")
    return {field.name for field in fields(cast(Any, options.model))} - has


def _terms(results: RunResults) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    text = (
        "The training dialogues were made by a program and contain no words of real people. The text encoder or "
        "features named above have terms of their own, which apply to weights learned from them."
        if results.synthetic
        else "The code that trained it is under the MIT licence; that does not cover the weights. They were "
        "learned from dialogues under terms of their own, and from the text encoder or features named above under "
        "theirs: pass them on only as those terms allow."
    )
    return ["## Licence and versions", "", text, "", f"Code {results.git_revision or 'unversioned'}; {versions}.", ""]
