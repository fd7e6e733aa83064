"""Report of a merge: sources, counts, placement of chunks, and disagreements between the sources."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from iemomecp_dataset.overlay.published import PUBLISHED_COUNTS, PUBLISHED_TRANSITIONS
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["Check", "MergeReport"]

_SHOWN = 10
_SHOWN_CHARACTERS = 1000


@dataclass(frozen=True)
class Check:
    """Comparison of two sources, utterance by utterance.

    Attributes:
        name: Compared property.
        compared: Number of compared utterances.
        mismatches: Every utterance on which the sources differ, with both values.
    """

    name: str
    compared: int
    mismatches: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of mismatches; 0 if nothing was compared."""
        return len(self.mismatches) / self.compared if self.compared else 0.0


@dataclass(frozen=True)
class MergeReport:
    """Accounts for every dialogue, utterance and pair of a merge.

    Attributes:
        sources: Location of each part, by name.
        counts: Numbers of dialogues, chunks, utterances and pairs, merged and left out, by name.
        checks: Comparisons between the sources.
        transitions: Number of pairs by source label and role.
        placement: Number of chunks placed by each method.
        dialogues: Method and chunks by source dialogue.
        notes: Sentences for the reader.
        synthetic: Whether the sources are synthetic.
    """

    sources: Mapping[str, str]
    counts: Mapping[str, int]
    checks: Sequence[Check]
    transitions: Mapping[str, Mapping[str, int]]
    placement: Mapping[str, int]
    dialogues: Mapping[str, str]
    notes: Sequence[str] = field(default_factory=tuple)
    synthetic: bool = False

    def to_json(self) -> str:
        """Formats the whole report as JSON, with every mismatch."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    def to_text(self) -> str:
        """Formats the report as text, with the first mismatches of each check."""
        lines = ["Merge report" + (" (SYNTHETIC data)" if self.synthetic else "")]
        lines += [f"  {name}: {place}" for name, place in self.sources.items()]
        lines += ["Counts"] + [f"  {name}: {count}" for name, count in self.counts.items()]
        if self.placement:
            lines += ["Chunks placed by"] + [f"  {method}: {count}" for method, count in self.placement.items()]
        if self.transitions:
            lines += self._transition_lines()
        lines.append("Checks")
        for check in self.checks:
            lines.append(f"  {check.name}: {len(check.mismatches)} of {check.compared} differ ({check.share:.2%})")
            lines += [f"    {mismatch[:_SHOWN_CHARACTERS]}" for mismatch in check.mismatches[:_SHOWN]]
            if len(check.mismatches) > _SHOWN:
                lines.append(f"    and {len(check.mismatches) - _SHOWN} more")
        lines += [f"Note: {note}" for note in self.notes]
        return "\n".join(lines)

    def _transition_lines(self) -> list[str]:
        total = sum(sum(roles.values()) for roles in self.transitions.values())
        # The published counts are those of the whole release.
        whole = total == PUBLISHED_COUNTS["all"].pairs
        lines = ["Source label to role" + (" (release in brackets)" if whole else "")]
        for source, roles in self.transitions.items():
            published = PUBLISHED_TRANSITIONS[source]
            cells = [f"{role} {roles[role]}" + (f" ({published[role]})" if whole else "") for role in ROLE_LABELS]
            lines.append(f"  {source}: {', '.join(cells)}")
        return lines
