"""One run of a language model, from the corpus to the run folder; what was answered once is never asked again."""

from __future__ import annotations

import contextlib
import fnmatch
import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.runs.results import RunResults, read_results, write_results
from iemomecp_dataset.cache_folder import check_cache
from iemomecp_dataset.corpus import Corpus, load_corpus, whole_corpus
from iemomecp_dataset.errors import EndpointError, RunFolderError, UsageError
from iemomecp_dataset.files.locks import LOCK_FILE
from iemomecp_dataset.find_sources import texts_are_synthetic
from iemomecp_dataset.fingerprints import data_fingerprint, text_fingerprint
from iemomecp_dataset.options import load_options
from iemomecp_dataset.pair_table import pair_table
from iemomecp_dataset.progress import bars_hidden
from iemomecp_dataset.trainers.language_model.answering import Backend
from iemomecp_dataset.trainers.language_model.answers import UNUSABLE, Ladder
from iemomecp_dataset.trainers.language_model.asking import (
    Asking,
    Dialogue,
    base_rates,
    dialogues_of,
    has_later_causes,
    task_of,
    window_losses,
)
from iemomecp_dataset.trainers.language_model.cache import CACHE_FILE, AnswerCache
from iemomecp_dataset.trainers.language_model.licence import Route, check_route, cluster_of, is_licensed
from iemomecp_dataset.trainers.language_model.options import LanguageModelOptions
from iemomecp_dataset.trainers.language_model.predictions import read
from iemomecp_dataset.trainers.language_model.prompts import VERIFY, Prompt, Task, read_prompt, require_ask
from iemomecp_dataset.trainers.language_model.recording import (
    ANSWERS_FILE,
    PROMPT_FILE,
    AnsweredSplit,
    settings_of,
    with_cost,
    write_run,
)
from iemomecp_dataset.trainers.language_model.sending import Prices, Sender, Usage
from iemomecp_dataset.trainers.language_model.shots import Shots, choose_shots
from iemomecp_dataset.trainers.language_model.verifying import second_look
from iemomecp_dataset.trainers.run_folder import RunFolder

__all__ = ["run"]

_logger = logging.getLogger(__name__)

_CACHE = "language_model_answers"
_DTYPES = ("float32", "bfloat16", "float16")
_FOR_GOOD = (
    "refused with status",
    "redirected with status",
    "longer than the model reads",
    "status 413",
    "refused by vLLM",
)
"""Kinds of failures that sending again does not change."""


def run(options: LanguageModelOptions) -> RunResults | None:
    """Asks, reads, scores and writes.

    Args:
        options: The options.

    Returns:
        The record; None where ``max_requests`` has ended this start, and the same command continues.

    Raises:
        UsageError: Options that cannot work, or licensed text would go to a foreign host.
        EndpointError: Nothing answers, or some requests stay without an answer and ``give_up`` is not given.
        RunFolderError: The folder holds another run.
        IemomecpError: The data cannot be read.
    """
    options.check()
    begun = time.monotonic()
    corpus = _corpus(options)
    task = task_of(corpus)
    prompt = read_prompt(task, options.prompt)
    require_ask(prompt, options.ask, task)
    if options.verify and VERIFY not in prompt.questions:
        raise UsageError(f"--verify needs a template verify, which {prompt.source} does not have.")
    if task == "explanations" and not options.base_rates:
        raise UsageError("--no-base_rates leaves out what is not told of explanations. Leave it out.")
    licensed = _is_licensed(options, corpus)
    route = _checked_route(options, licensed)
    cache_dir = _cache_folder(options, licensed)
    folder = RunFolder(options.output_dir)
    if folder.finished and (identity := _identity_of_files(options)) is not None:
        return _finished(options, settings_of(options, identity, prompt.version), corpus)
    backend = _backend(options, licensed)
    if folder.finished:
        return _finished(options, settings_of(options, backend.identity, prompt.version), corpus)
    if not (folder.unused or _is_own(options.output_dir)):
        raise RunFolderError(f"{options.output_dir} is not empty, and holds no finished run. Choose another folder.")
    with contextlib.ExitStack() as held:
        held.enter_context(folder.held())
        cache = held.enter_context(AnswerCache(cache_dir, read_only=options.offline))
        for split in () if options.offline else options.splits:
            held.enter_context(cache.asked(_questions(options, backend, prompt, split)))
        asking, shots, dialogues = _asking(options, corpus, task, prompt)
        sender = Sender(
            backend,
            cache,
            prompt.version,
            max_requests=options.max_requests,
            offline=options.offline,
            prices=Prices(options.price_in, options.price_out),
            progress=sys.stderr.isatty() and not bars_hidden(),
        )
        usage = Usage()
        answered = {
            split: _answered(asking, shots, of_split, sender, usage, options) for split, of_split in dialogues.items()
        }
        lacking = sum(found.unanswered for found in answered.values())
        for note in sender.notes:
            _logger.warning("warning: %s", note)
        if lacking and not _may_finish(options, sender, lacking):
            return None
        return write_run(
            options.output_dir,
            corpus,
            asking,
            options,
            answered,
            sender=sender,
            usage=usage,
            shots=shots,
            route=route,
            device=_device(options),
            shows_texts=corpus.synthetic and not licensed,
            wall_seconds=time.monotonic() - begun,
        )


def _corpus(options: LanguageModelOptions) -> Corpus:
    corpus = load_corpus(
        options.config_name,
        options.data_dir,
        candidates=options.candidates,
        forward_pairs=options.forward_pairs,
        for_training=False,
        meld_root=options.meld_root,
    )
    if task_of(corpus) == "emotions":
        corpus = whole_corpus(corpus)
    for split in options.splits:
        if split not in corpus.rows:
            raise UsageError(
                f"{options.data_dir} has no split {split!r} of {options.config_name}. Choose another --split."
            )
    return corpus if options.limit is None else _limited(corpus, options)


def _limited(corpus: Corpus, options: LanguageModelOptions) -> Corpus:
    """The first dialogues of the splits that are predicted; its fingerprints differ, so that no table mixes them."""
    short = {split: corpus.rows[split][: options.limit] for split in options.splits}
    rows = {**corpus.rows, **short}
    return replace(
        corpus,
        rows=rows,
        tables={split: pair_table(found, corpus.emotion_names or None) for split, found in rows.items()},
        fingerprints={
            split: f"{data_fingerprint(found)}-first-{options.limit}" if split in short else corpus.fingerprints[split]
            for split, found in rows.items()
        },
        text_fingerprints={
            split: text_fingerprint(found) if split in short else corpus.text_fingerprints[split]
            for split, found in rows.items()
        },
    )


def _asking(
    options: LanguageModelOptions, corpus: Corpus, task: Task, prompt: Prompt
) -> tuple[Asking, Shots, dict[str, list[Dialogue]]]:
    train = dialogues_of(corpus, "train") if "train" in corpus.rows else []
    if not train and (options.shots or options.base_rates):
        if options.shots:
            raise UsageError(f"--shots come from train, which {options.data_dir} does not have.")
        _logger.warning("warning: there is no train split, so no base rates are told.")
    dialogues = {split: dialogues_of(corpus, split) for split in options.splits}
    shots = choose_shots(
        train,
        [dialogue for of_split in dialogues.values() for dialogue in of_split],
        options.shots,
        choice=options.shot_choice,
        seed=options.seed,
        encoder=options.shot_encoder,
    )
    asking = Asking(
        task,
        options.ask,
        prompt,
        corpus.emotion_names,
        prompt.system_message(
            corpus.emotion_names,
            base_rates(train, task) if options.base_rates else "",
            later_causes=any(map(has_later_causes, dialogues.values())),
        ),
        window=options.window,
        most_tokens=options.max_new_tokens,
        seed=options.seed,
    )
    return asking, shots, dialogues


def _answered(
    asking: Asking,
    shots: Shots,
    dialogues: list[Dialogue],
    sender: Sender,
    usage: Usage,
    options: LanguageModelOptions,
) -> AnsweredSplit:
    by_id = {dialogue.dialogue_id: dialogue for dialogue in dialogues}
    requests = [request for dialogue in dialogues for request in asking.requests(dialogue, shots.of(dialogue))]
    answers = sender.answers(requests)
    readings = [
        read(asking, by_id[request.dialogue_id], request, answer)
        for request, answer in zip(requests, answers, strict=True)
    ]
    ladder, again = Ladder(), Ladder()
    for reading in readings:
        ladder.add(reading)
    for request, answer in zip(requests, answers, strict=True):
        if answer is not None:
            usage.add(answer, sender.key(request))
    unusable = [
        place
        for place, (reading, answer) in enumerate(zip(readings, answers, strict=True))
        # The letters of the same request have the same probabilities again, unless it was refused.
        if reading.step == UNUSABLE and answer is not None and (answer.first_tokens is None or reading.ending)
    ]
    unanswered = sum(answer is None for answer in answers)
    if options.ask_again and unusable and not sender.backend.repeats:
        second = sender.again([requests[place] for place in unusable])
        for place, answer in zip(unusable, second, strict=True):
            reading = read(asking, by_id[requests[place].dialogue_id], requests[place], answer)
            again.add(reading)
            if answer is None:
                unanswered += 1
                continue
            usage.add(answer, f"again {sender.key(requests[place])}")
            if reading.step != UNUSABLE:
                answers[place], readings[place] = answer, reading
    verified, n_before = Ladder(), sum(len(reading.pairs) for reading in readings)
    other_roles = 0
    if options.verify:
        readings, lacking, other_roles = second_look(asking, by_id, requests, readings, sender, usage, verified)
        unanswered += lacking
    return AnsweredSplit(
        requests,
        answers,
        readings,
        ladder,
        again,
        window_losses(dialogues, asking.window, roles=asking.task == "roles"),
        verified,
        n_before - sum(len(reading.pairs) for reading in readings),
        unanswered,
        other_roles,
    )


def _may_finish(options: LanguageModelOptions, sender: Sender, lacking: int) -> bool:
    """Whether a run with requests that have no answer is finished as it is.

    Raises:
        EndpointError: It is not, and the same command alone does not change that.
    """
    kinds = ", ".join(f"{kind} {count}" for kind, count in sender.failures.most_common())
    first = next(iter(sender.messages.values()), "")
    if sender.left:
        if kinds and not sender.sent:
            raise EndpointError(
                f"None of the {sender.attempts} requests of this start was answered ({kinds}; the first: {first}), and "
                f"{sender.left} more are left. The same ones come first next time: give more than --max_requests "
                f"{options.max_requests}."
            )
        failed = f", and {sender.failures.total()} have failed ({kinds})" if kinds else ""
        print(
            f"{sender.left} requests are left (--max_requests {options.max_requests}){failed}. Start the same command "
            "to continue."
        )
        return False
    if options.give_up:
        return True
    again = [kind for kind in sender.failures if not kind.startswith(_FOR_GOOD)]
    advice = (
        "Start the same command to ask for them again; --give_up finishes without them, and counts them."
        if again
        else "They would be refused again: --give_up finishes without them, and counts them."
    )
    raise EndpointError(f"{lacking} requests have no answer ({kinds}; the first: {first}). {advice}")


def _finished(options: LanguageModelOptions, settings: dict[str, object], corpus: Corpus) -> RunResults:
    """The record of a finished run; where prices are given now, with its cost."""
    record = read_results(options.output_dir)
    same = (
        {name: str(value) for name, value in record.settings.items()}
        == {name: str(value) for name, value in settings.items()}
        and record.seed == options.seed
        and all(record.data_fingerprint.get(split) == corpus.fingerprints[split] for split in options.splits)
        and set(record.metrics) == set(options.splits)
    )
    if not same:
        raise RunFolderError(
            f"{options.output_dir} holds a finished run with other options or data. Choose another --output_dir."
        )
    prices = Prices(options.price_in, options.price_out)
    priced = with_cost(record, prices)
    if priced != record:
        with RunFolder(options.output_dir).held():
            write_results(options.output_dir, priced)
    return priced


def _questions(options: LanguageModelOptions, backend: Backend, prompt: Prompt, split: str) -> str:
    """What tells the questions of a run about a split from those of another run."""
    names = (
        "config_name",
        "ask",
        "shots",
        "shot_choice",
        "shot_encoder",
        "base_rates",
        "max_new_tokens",
        "seed",
        "structured",
    )
    asked = {name: getattr(options, name) for name in names}
    return repr((sorted(backend.identity.items()), prompt.version, split, sorted(asked.items())))


def _identity_of_files(options: LanguageModelOptions) -> Mapping[str, str] | None:
    """The identity of a model that need not be loaded for it; None where it must be."""
    if options.backend == "vllm":
        from iemomecp_dataset.trainers.language_model.backends.vllm import VllmModel

        return VllmModel.identity_of(options.model, options.revision)
    if options.backend != "transformers" or not Path(options.model).is_dir():
        return None
    from iemomecp_dataset.trainers.explanation.language_model import language_model_revision

    about = read_results(options.output_dir).extra.get("language_model", {})
    recorded = about.get("identity", {}) if isinstance(about, dict) else {}
    revision = language_model_revision(options.model, None, options.gguf_file)
    known = {"backend": options.backend, "model": revision, "revision": revision}
    if not isinstance(recorded, dict) or any(recorded.get(name) != value for name, value in known.items()):
        return None
    # What is chosen for a device is known once the model is loaded; what is asked for by name is compared.
    if options.dtype in _DTYPES and recorded.get("dtype") != options.dtype:
        return None
    return recorded


def _is_own(folder: Path) -> bool:
    """Whether a folder holds nothing but what a run leaves that is killed while it writes; the prompt is first."""
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    patterns = ("*.parquet", PROMPT_FILE, ANSWERS_FILE, LOCK_FILE, "*.partial")
    return PROMPT_FILE in names and all(any(fnmatch.fnmatch(name, one) for one in patterns) for name in names)


def _is_licensed(options: LanguageModelOptions, corpus: Corpus) -> bool:
    """Whether the texts are IEMOCAP's. Of a corpus that is marked, the folders of its texts must be marked as well."""
    free = corpus.synthetic and is_licensed(options.config_name)
    if free:
        free = texts_are_synthetic(load_options(options.config_name, {"data_dir": options.data_dir}))
    return is_licensed(options.config_name, free)


def _checked_route(options: LanguageModelOptions, licensed: bool) -> Route:
    """Where the text goes; checked before anything is sent."""
    route = Route()
    if options.backend in ("openai", "ray"):
        url = options.base_url
        if options.backend == "openai":
            from iemomecp_dataset.trainers.language_model.backends.openai import DEFAULT_BASE_URL

            url = url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
        route = Route.to(url, cluster=_cluster(options.ray_address) if options.backend == "ray" else "")
    check_route(options.config_name, not licensed, route, options.text_may_go_to)
    return route


def _cluster(address: str | None) -> str:
    """The cluster that Ray has; one that this process is already connected to, as it is not started anew."""
    ray = sys.modules.get("ray")
    if address is None and ray is not None and ray.is_initialized():
        address = str(ray.get_runtime_context().gcs_address)
    return cluster_of(address)


def _cache_folder(options: LanguageModelOptions, licensed: bool) -> Path:
    beside = options.data_dir / _CACHE
    of_user = Path(os.environ.get("IEMOMECP_CACHE") or Path.home() / ".cache" / "iemomecp") / _CACHE
    if options.cache_dir is not None:
        chosen = options.cache_dir
    elif options.offline:
        # Only read: the folder of the data need not be writable.
        chosen = next((folder for folder in (beside, of_user) if (folder / CACHE_FILE).is_file()), beside)
    else:
        chosen = of_user if check_cache(beside) else beside
    if licensed and _lies_with_runs(chosen, options):
        told = f"--cache_dir {chosen}" if options.cache_dir is not None else f"The cache {chosen}"
        raise UsageError(
            f"{told} lies with the runs, but would hold IEMOCAP's texts. Keep it with the data, which is the default, "
            "or in another folder that holds no runs (--cache_dir, or the environment's IEMOMECP_CACHE)."
        )
    return chosen


def _lies_with_runs(cache: Path, options: LanguageModelOptions) -> bool:
    """Whether a folder of the cache's path is a run folder, or holds some, now or once this run is written."""
    # Without links and "..", which may lead anywhere.
    cache, run_folder, data = cache.resolve(), options.output_dir.resolve(), options.data_dir.resolve()
    folders = [cache, *cache.parents]
    if data in folders:
        folders = folders[: folders.index(data)]
    else:
        # A user has everything below the home folder.
        home = Path.home().resolve()
        folders = [folder for folder in folders if folder not in (home, *home.parents)]
    # Runs may lie in groups: runs/group/run.
    of_run = (run_folder, *run_folder.parents[:2])
    return any(folder in of_run or _holds_runs(folder) for folder in folders)


def _holds_runs(folder: Path) -> bool:
    def is_run(one: Path) -> bool:
        return any((one / name).is_file() for name in ("results.json", PROMPT_FILE))

    try:
        return is_run(folder) or (folder.is_dir() and any(map(is_run, folder.iterdir())))
    except OSError:  # a folder that one may not look into
        return False


def _backend(options: LanguageModelOptions, licensed: bool) -> Backend:
    client: dict[str, Any] = {
        "model": options.model,
        "base_url": options.base_url,
        "max_concurrency": options.max_concurrency,
        "max_retries": options.max_retries,
        "timeout": options.timeout,
        "decisions_only": options.decisions_only,
        "structured": options.structured,
        "shows_texts": not licensed,
    }
    engine: dict[str, Any] = {"name": options.model, "revision": options.revision, "structured": options.structured}
    if options.backend == "openai":
        from iemomecp_dataset.trainers.language_model.backends.openai import OpenAIEndpoint

        return OpenAIEndpoint(**client)
    if options.backend == "vllm":
        from iemomecp_dataset.trainers.language_model.backends.vllm import VllmModel

        return VllmModel(**engine)
    if options.backend == "ray":
        from iemomecp_dataset.trainers.language_model.backends.ray import RayWorkers

        by_client = options.base_url is not None
        return RayWorkers(
            client if by_client else engine,
            engine="openai" if by_client else "vllm",
            workers=options.ray_workers,
            address=options.ray_address,
        )
    from iemomecp_dataset.features.encoders.devices import torch_device
    from iemomecp_dataset.trainers.language_model.backends.transformers import LocalModel

    return LocalModel(
        options.model,
        gguf_file=options.gguf_file,
        revision=options.revision,
        dtype=options.dtype,
        device=torch_device(options.device),
        batch_size=options.batch_size,
        structured=options.structured,
    )


def _device(options: LanguageModelOptions) -> str:
    if options.backend == "vllm" or (options.backend == "ray" and options.base_url is None):
        return "cuda"
    if options.backend in ("openai", "ray"):
        return ""
    from iemomecp_dataset.features.encoders.devices import torch_device

    return torch_device(options.device).type
