"""Every option of a run of a language model."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from iemomecp_dataset.candidates import CandidateSpace
from iemomecp_dataset.command_line import REQUIRED, option
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.options import DialogueConfig, ForwardPairs
from iemomecp_dataset.trainers.language_model.prompts import Ask
from iemomecp_dataset.trainers.language_model.shots import ShotChoice

__all__ = ["BackendName", "LanguageModelOptions", "Splits"]

BackendName = Literal["transformers", "vllm", "openai", "ray"]
Splits = Literal["validation", "test", "both"]

_NO_NAMES = ("model", "models", "final", "best", "checkpoint", "snapshot")


@dataclass(frozen=True)
class LanguageModelOptions:
    """Options of ``trainers/llm.py``."""

    data_dir: Path = option(
        REQUIRED, "Folder of the corpus, as for load_dataset.", group="data", setting="data_fingerprint"
    )
    model: str = option(
        REQUIRED, "Name of the model there; of transformers and vllm a folder or a name on the Hub.", group="model"
    )
    output_dir: Path = option(REQUIRED, "Run folder.", group="data", setting=False, written=True)
    config_name: DialogueConfig = option(
        "3class",
        "Configuration of the corpus. It decides the task: pairs, roles (3class), emotions (meld, iemocap) or "
        "explanations (ecem, ecgf).",
        group="data",
    )
    split: Splits = option(
        "both",
        "Splits to predict. Of --ask pair the threshold is chosen on validation, where that is predicted.",
        group="data",
    )
    limit: int | None = option(
        None,
        "Dialogues per split, the first ones. Such a run is marked, and stands in a table of its own.",
        minimum=1,
        group="data",
    )
    candidates: CandidateSpace | None = option(
        None, "Candidate pairs of the corpora other than IEMO-MECP: all (their default) or past.", group="data"
    )
    forward_pairs: ForwardPairs | None = option(
        None, "source_binary: as_published (its default) or gold.", group="data", setting="signatures"
    )
    meld_root: Path | None = option(None, "ecem: MELD's CSV files, where they are elsewhere.", group="data")
    text_may_go_to: str | None = option(
        None,
        "Host that IEMOCAP's texts may be sent to, where your agreement allows it; otherwise they stay on this "
        "machine. Several, such as a server, the proxy before it and the head of a cluster, are separated by commas.",
        group="data",
        setting=False,
        metavar="HOST",
    )

    ask: Ask = option(
        "dialogue",
        "What one request asks about: a dialogue, one of its utterances (target), or one candidate pair, which gives "
        "probabilities.",
        group="questions",
    )
    shots: int = option(
        0,
        "Dialogues of train that precede with their gold answers: one; of target two; of pair one for each letter.",
        minimum=0,
        limit=64,
        group="questions",
    )
    shot_choice: ShotChoice = option(
        "similarity", "Which: those most similar to the dialogue, or random ones by --seed.", group="questions"
    )
    shot_encoder: str | None = option(
        None,
        "Frozen sentence encoder (folder or name) for the similarity; default: TF-IDF of words.",
        group="questions",
    )
    window: int | None = option(
        None,
        "--ask pair: ask about candidates at most this many turns apart; the others are non-pairs, which is counted.",
        minimum=0,
        group="questions",
    )
    prompt: Path | None = option(
        None, "Prompt file in place of the package's own (benchmark/prompts).", group="questions", metavar="FILE"
    )
    base_rates: bool = option(True, "Tell the model how frequent emotions and causes are in train.", group="questions")
    ask_again: bool = option(
        True,
        "openai: ask once more, with another seed, where an answer is unusable; the other backends would repeat it.",
        group="questions",
    )
    verify: bool = option(
        False,
        "Look a second time at each proposed target, in a window of turns; pairs are left out, or stay as they are.",
        group="questions",
    )
    seed: int = option(
        0, "Seed of random shots, and sent with requests.", minimum=0, maximum=2**31 - 2, group="questions"
    )

    backend: BackendName = option(
        "transformers",
        "Where requests are answered. ray shares them out over workers: clients of --base_url, or without it vLLM "
        "engines.",
        group="model",
    )
    ray_workers: int = option(2, "ray: number of workers.", minimum=1, group="model", setting=False)
    ray_address: str | None = option(
        None, "ray: address of a cluster (default: ray is started on this machine).", group="model", setting=False
    )
    revision: str | None = option(None, "transformers, vllm: commit, branch or tag on the Hub.", group="model")
    gguf_file: str | None = option(
        None, "transformers: file of the folder that holds the model in GGUF.", group="model"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto",
        "transformers: type of the weights; auto: bfloat16 on a GPU that computes with it, else float32.",
        group="model",
    )
    device: str = option("auto", "transformers: cpu, cuda, mps; auto: the best there is.", group="model", setting=False)
    batch_size: int = option(
        8, "transformers: requests that are answered together.", minimum=1, group="model", setting=False
    )
    structured: bool = option(
        True, "Enforce the form of answers, by a grammar or as the endpoint does it.", group="model"
    )
    max_new_tokens: int | None = option(
        None, "Most tokens of an answer (default: 512 for a dialogue, 64 for a target).", minimum=1, group="model"
    )
    base_url: str | None = option(
        None,
        "openai: address of the endpoint (default: OPENAI_BASE_URL, else OpenAI's). Its key comes from OPENAI_API_KEY.",
        group="model",
        setting=False,
        metavar="URL",
    )
    max_concurrency: int = option(16, "openai: most requests in flight.", minimum=1, group="model", setting=False)
    max_retries: int = option(
        5,
        "openai: further attempts after a limit, an error of the server or a time-out.",
        minimum=0,
        group="model",
        setting=False,
    )
    timeout: float = option(600.0, "openai: seconds to wait for an answer.", above=0.0, group="model", setting=False)
    decisions_only: bool = option(
        False, "--ask pair: take letters as decisions where the endpoint gives no log-probabilities.", group="model"
    )

    cache_dir: Path | None = option(
        None,
        "Folder of the answers' cache (default: language_model_answers in --data_dir, or the user's cache where that "
        "cannot be written to).",
        group="sending",
        setting=False,
        written=True,
    )
    max_requests: int | None = option(
        None,
        "Stop after this many requests, those that fail or are repeated among them; the same command continues.",
        minimum=1,
        group="sending",
        setting=False,
    )
    offline: bool = option(False, "Send nothing: every answer must be in the cache.", group="sending", setting=False)
    give_up: bool = option(
        False,
        "Finish although some requests stay without an answer; they count as unusable.",
        group="sending",
        setting=False,
    )
    price_in: float | None = option(
        None, "Price of a million prompt tokens, for the cost.", minimum=0.0, group="sending", setting=False
    )
    price_out: float | None = option(
        None, "Price of a million answer tokens.", minimum=0.0, group="sending", setting=False
    )
    system: str | None = option(
        None,
        "Name of the row in tables (default: model, ask and number of shots).",
        group="sending",
        setting=False,
        metavar="NAME",
    )

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits to predict."""
        return ("validation", "test") if self.split == "both" else (self.split,)

    @property
    def row_name(self) -> str:
        """The name of the row."""
        if self.system is not None:
            return self.system
        name = self.gguf_file.removesuffix(".gguf") if self.gguf_file else _name_of_model(self.model)
        return f"{name} {self.ask} {self.shots}-shot"

    def check(self) -> None:
        """Refuses options that contradict each other.

        Raises:
            UsageError: They do.
        """
        if self.window is not None and self.ask != "pair":
            raise UsageError("--window limits the pairs that are asked about; it goes with --ask pair.")
        if self.verify and self.ask == "pair":
            raise UsageError("--verify looks again at what --ask dialogue or target proposes.")
        if self.decisions_only and self.ask != "pair":
            raise UsageError("--decisions_only is for the letters of --ask pair.")
        if self.shot_encoder is not None and (self.shot_choice == "random" or not self.shots):
            raise UsageError("--shot_encoder compares dialogues: it goes with --shots and --shot_choice similarity.")
        if (self.price_in is None) != (self.price_out is None):
            raise UsageError("The cost needs --price_in and --price_out.")
        if self.offline and self.max_requests is not None:
            raise UsageError("--offline sends nothing; leave --max_requests out.")
        of_backend = {
            "openai": ("base_url", "text_may_go_to", "decisions_only"),
            "transformers": ("gguf_file",),
            "ray": ("ray_address",),
        }
        for backend, names in of_backend.items():
            for name in names:
                if backend == "openai" and self.backend == "ray":
                    continue
                if self.backend != backend and getattr(self, name) not in (None, False):
                    raise UsageError(f"--{name} is for --backend {backend}.")
        self._check_effects()

    def _check_effects(self) -> None:
        """Refuses options that change nothing here: a run that is told by them would be the one without them."""
        by_client = self.backend == "openai" or (self.backend == "ray" and self.base_url is not None)
        without = {
            "max_new_tokens": "limits lists and texts; of --ask pair one token is all that is asked for"
            if self.ask == "pair"
            else "",
            "revision": "is for models that are loaded; an endpoint chooses its own" if by_client else "",
            **dict.fromkeys(
                ("dtype", "device", "batch_size"),
                "is for --backend transformers" if self.backend != "transformers" else "",
            ),
            **dict.fromkeys(
                ("max_concurrency", "max_retries", "timeout", "ask_again"),
                "" if by_client else "is for endpoints (--backend openai, or ray with --base_url)",
            ),
            "ray_workers": "is for --backend ray" if self.backend != "ray" else "",
            "shot_choice": "chooses shots; give --shots" if not self.shots else "",
        }
        defaults = {one.name: one.default for one in fields(self)}
        for name, why in without.items():
            if why and getattr(self, name) != defaults[name]:
                given = f"--no-{name}" if defaults[name] is True else f"--{name}"
                raise UsageError(f"{given} {why}. Leave it out.")


def _name_of_model(name_or_path: str) -> str:
    """Shortens a name or path to the part that tells the model; a folder called ``model`` tells it with its parent."""
    parts = [part for part in name_or_path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for part in reversed(parts):
        # A download of the Hub's library: models--organisation--name/snapshots/commit.
        if part.startswith("models--"):
            return part.rpartition("--")[2]
    n_kept = 2 if parts and parts[-1].lower() in _NO_NAMES else 1
    return "/".join(parts[-n_kept:]) or name_or_path
