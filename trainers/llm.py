"""Asks a language model for emotion-cause pairs, roles, emotions or explanations, and scores what it answers.

    python trainers/llm.py --data_dir path/to/ecf --config_name ecf --backend openai --model gpt-4o --shots 3
        --output_dir runs/gpt-4o
    python trainers/llm.py --data_dir path/to/ecf --config_name ecf --backend openai --base_url http://127.0.0.1:8000/v1
        --model Qwen/Qwen3-8B --ask pair --window 5 --output_dir runs/qwen-pairs
    python trainers/llm.py --data_dir path/to/ecf --config_name ecf --backend transformers --model path/to/model
        --split validation --limit 20 --output_dir runs/local

Nothing is trained. The run folder is like any other, and the report shows it beside trained models. How many answers
could be read, and at which step, their tokens and cost are in its results.json. Answers are kept in a cache: starting
the same command again continues an interrupted run, and sends nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from iemomecp_dataset.command_line import read_options
from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.trainers.language_model.options import LanguageModelOptions


def main(arguments: Sequence[str] | None = None) -> None:
    """Asks, then prints the run beside the structural rows."""
    options = read_options(LanguageModelOptions, arguments, command="llm", description=__doc__)
    options.check()
    # Imported late, so that --help is quick.
    from iemomecp_dataset.benchmark.results_table import print_results
    from iemomecp_dataset.trainers.language_model.run import run

    print_results(run(options))


if __name__ == "__main__":
    run_command(main)
