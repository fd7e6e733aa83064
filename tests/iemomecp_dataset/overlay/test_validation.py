"""Any single change of valid label files is either harmless by rule or refused."""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iemomecp_dataset.overlay.validation import check_overlay

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["emo_cause", "emo_context", "non_pair", "background", "train", "valid", "IEMO-MECP"]),
    st.lists(st.integers(0, 4), max_size=2),
    st.just({}),
)


def places(value, path=()):
    """Yields the path of every value in a JSON document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def changed(document, path, action, value):
    document = copy.deepcopy(document)
    *parents, last = path
    holder = document
    for key in parents:
        holder = holder[key]
    if action == "replace":
        holder[last] = value
    elif action == "delete":
        del holder[last]
    elif isinstance(holder, list):
        holder.append(copy.deepcopy(holder[last]))
    else:
        holder["a new field"] = value
    return document


def without_free_text(overlay):
    """The overlay without ids and free text: everything whose change must be detected."""
    return {
        split: [
            replace(
                chunk,
                dialogue_id="",
                pairs=tuple(replace(pair, source=None, taxonomy_label=None) for pair in chunk.pairs),
            )
            for chunk in chunks
        ]
        for split, chunks in overlay.chunks.items()
    }


def is_optional(document, path):
    """Whether the labels alone are valid without a value: a forward pair, or a whole chunk. The merge detects these."""
    value = document
    for key in path:
        value = value[key]
    if not isinstance(value, dict):
        return False
    return "num_utterances" in value or value.get("cause_turn", 0) > value.get("target_emotion_turn", 0)


def test_any_single_mutation_is_harmless_by_rule_or_refused(tree):
    original = json.loads(tree.labels("train").read_text())
    reference, problems = check_overlay(tree.root / "labels")
    assert problems == []
    everywhere = [path for path in places(original) if path]
    seen: Counter[bool] = Counter()

    @settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(path=st.sampled_from(everywhere), action=st.sampled_from(["replace", "delete", "add"]), value=VALUES)
    def mutate(path, action, value):
        tree.labels("train").write_text(json.dumps(changed(original, path, action, value)))
        overlay, problems = check_overlay(tree.root / "labels")
        seen[not problems] += 1
        if not problems and not (action == "delete" and is_optional(original, path)):
            assert without_free_text(overlay) == without_free_text(reference)

    mutate()
    # The test is meaningful only if both outcomes occurred.
    assert min(seen[True], seen[False]) > 10, seen
