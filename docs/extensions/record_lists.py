"""The directives ``pair-definitions`` and ``experiment-list``: lists that the package keeps as records."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from iemomecp_dataset.benchmark.experiments import experiment_names, find_experiment
from iemomecp_dataset.metrics.set_scores import DEFINITIONS


class PairDefinitions(SphinxDirective):
    """Every definition of Pair F1, with what it counts."""

    def run(self) -> list[nodes.Node]:
        """Renders a table."""
        rows = "\n".join(f"| {letter} | {words} |" for letter, words in DEFINITIONS.items())
        return self.parse_text_to_nodes(f"| definition | what is counted |\n|---|---|\n{rows}")


class ExperimentList(SphinxDirective):
    """Names of the published experiments, by their source."""

    def run(self) -> list[nodes.Node]:
        """Renders a table."""
        of_source: dict[tuple[str, str], list[str]] = {}
        for name in experiment_names():
            experiment = find_experiment(name)
            of_source.setdefault((experiment.source, experiment.family), []).append(f"`{name}`")
        rows = "\n".join(
            f"| {source} | `{family}` | {', '.join(names)} |" for (source, family), names in sorted(of_source.items())
        )
        return self.parse_text_to_nodes(f"| source | trainer | experiments |\n|---|---|---|\n{rows}")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Adds the directives."""
    app.add_directive("pair-definitions", PairDefinitions)
    app.add_directive("experiment-list", ExperimentList)
    return {"parallel_read_safe": True}
