"""How far ConvECPE and IEMOCAP may differ, over all and in each dialogue."""

from __future__ import annotations

import re
import shutil

import pytest

import iemomecp_dataset
from iemomecp_dataset.builder import IemomecpBuilder
from iemomecp_dataset.commands import build
from iemomecp_dataset.corpus import corpus_of
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.export import BuildOptions, build_from_sources
from iemomecp_dataset.merging.limits import Tolerance, enforce_limits
from iemomecp_dataset.merging.utterances import merged_utterances
from iemomecp_dataset.sources.ecpec import find_ecpec, read_ecpec
from iemomecp_dataset.sources.iemocap_release import find_iemocap

LONG, SHORT, OTHER = "Ses01F_impro01", "Ses01F_script01_1", "Ses02M_impro02"
ANYTHING = {"max_mismatch": 1.0}


def load(tree, name="3class", **options):
    """Loads all rows, and leaves the cache alone."""
    builder = IemomecpBuilder(config_name=name, data_dir=tree.root, **options)
    return builder, {split: list(rows) for split, rows in builder.as_streaming_dataset().items()}


def texts_of(tree, dialogue):
    lines = tree.transcript(dialogue).read_text().splitlines()
    return [line.split(": ", 1) for line in lines if line.startswith(dialogue) and "_F900" not in line]


def write_texts(tree, dialogue, texts):
    """Writes other texts under the ids and times of a dialogue's transcript."""
    heads = [head for head, _ in texts_of(tree, dialogue)]
    lines = [f"{head}: {text}" for head, text in zip(heads, texts, strict=True)]
    tree.transcript(dialogue).write_text("\n".join(lines) + "\n")


def displaced(tree, change, dialogue=LONG):
    write_texts(tree, dialogue, change([text for _, text in texts_of(tree, dialogue)]))


def exchanged(tree, first=SHORT, second=OTHER, path="transcript"):
    one, other = getattr(tree, path)(first), getattr(tree, path)(second)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def exchanged_texts(tree):
    first, second = ([text for _, text in texts_of(tree, name)] for name in (SHORT, OTHER))
    write_texts(tree, SHORT, second)
    write_texts(tree, OTHER, first)


def exchanged_sentences(tree):
    entries = tree.pickle_entries()
    entries[9][SHORT], entries[9][OTHER] = entries[9][OTHER], entries[9][SHORT]
    tree.write_pickle(entries)


def copied_texts(tree):
    write_texts(tree, SHORT, [text for _, text in texts_of(tree, OTHER)])


DISORDER = {
    "shifted up": (lambda t: displaced(t, lambda x: [*x[1:], x[0]]), f"{LONG} .*shifted by one line"),
    "shifted down": (lambda t: displaced(t, lambda x: [x[-1], *x[:-1]]), f"{LONG} .*shifted by one line"),
    "reversed": (lambda t: displaced(t, lambda x: x[::-1]), f"{LONG} .*6 of 7 texts differ; they are reversed"),
    "two exchanged": (lambda t: displaced(t, lambda x: [x[1], x[0], *x[2:]]), f"{LONG} .*exchanged with each other"),
    "texts of two dialogues": (exchanged_texts, f"two transcripts exchanged: {SHORT} and {OTHER}"),
    "sentences of two dialogues": (exchanged_sentences, f"two transcripts exchanged: {SHORT} and {OTHER}"),
    "texts of another": (copied_texts, f"{SHORT} .*they are those of {OTHER}"),
}


@pytest.mark.parametrize("text_source", ["iemocap", "ecpec"])
@pytest.mark.parametrize("name", DISORDER)
def test_texts_out_of_place_are_refused_by_name_whichever_are_used(tree, name, text_source):
    change, message = DISORDER[name]
    change(tree)
    with pytest.raises(InvalidDataError, match=message) as caught:
        load(tree, text_source=text_source, **ANYTHING)
    assert re.search(r"turn \d, \w+: IEMOCAP 'Line .*', ConvECPE 'Line ", str(caught.value))
    assert "raise max_dialogue_mismatch=." in str(caught.value)
    load(tree, text_source=text_source, max_dialogue_mismatch=1.0, **ANYTHING)


@pytest.mark.parametrize("name", ["3class", "iemocap"])
def test_the_limit_of_a_dialogue_is_its_own(tree, name):
    displaced(tree, lambda texts: ["Quite another.", "And another.", *texts[2:]])
    with pytest.raises(InvalidDataError) as caught:
        load(tree, name, **ANYTHING)
    message = str(caught.value)
    assert "differ in more than one utterance, and in more than 5.00% of the utterances, of 1 dialogue:" in message
    assert f"{LONG} ({tree.transcript(LONG)}): 2 of 7 texts differ\n" in message
    assert f"turn 1, {LONG}_F001: IEMOCAP 'Quite another.', ConvECPE 'Line 1, of Ses01F impro01.'" in message
    assert "raise max_dialogue_mismatch=, or take ConvECPE's text with text_source='ecpec'" in message
    with pytest.raises(InvalidDataError, match=r"more than 28\.00% of the utterances"):
        load(tree, name, max_dialogue_mismatch=0.28, **ANYTHING)
    _, rows = load(tree, name, max_dialogue_mismatch=0.29, **ANYTHING)
    texts = [utterance["text"] for part in rows.values() for row in part for utterance in row["utterances"]]
    assert "Quite another." in texts
    load(tree, name, text_source="ecpec", **ANYTHING)
    with pytest.raises(InvalidDataError, match=r"2 of 18 differ \(11.11%\), more than the accepted 1.00%"):
        load(tree, name)


@pytest.mark.parametrize("name", ["3class", "iemocap"])
def test_texts_out_of_place_that_are_accepted_are_still_called_that(tree, name, caplog):
    displaced(tree, lambda texts: [texts[1], texts[0], *texts[2:]])
    builder, _ = load(tree, name, max_dialogue_mismatch=0.3, **ANYTHING)
    said = f"{LONG}: 2 of 7 texts differ between IEMOCAP and ConvECPE; they are exchanged with each other."
    assert said in caplog.text
    if name == "3class":
        assert said in builder.merge_report.to_text()


def test_one_utterance_of_a_short_dialogue_may_differ(tree):
    displaced(tree, lambda texts: ["Quite another.", *texts[1:]], SHORT)
    _, rows = load(tree, max_dialogue_mismatch=0.0, **ANYTHING)
    assert rows["train"][2]["utterances"][0]["text"] == "Quite another."


def test_long_texts_are_shortened(tree, caplog):
    displaced(tree, lambda texts: ["long " * 10_000, "And another.", *texts[2:]])
    with pytest.raises(InvalidDataError, match="…', ConvECPE") as caught:
        load(tree, **ANYTHING)
    assert len(str(caught.value)) < 2_000
    with pytest.raises(InvalidDataError, match="more than the accepted") as caught:
        load(tree)
    assert len(str(caught.value)) < 2_000
    builder, _ = load(tree, max_dialogue_mismatch=1.0, **ANYTHING)
    assert max(len(record.getMessage()) for record in caplog.records) < 1_000
    assert len(builder.merge_report.to_text()) < 10_000 < len(builder.merge_report.to_json())


@pytest.mark.parametrize(("path", "what"), [("transcript", "transcripts"), ("evaluation", "files of EmoEvaluation")])
def test_exchanged_files_are_named_whatever_is_accepted(tree, path, what):
    exchanged(tree, path=path)
    with pytest.raises(InvalidDataError, match=f"two {what} exchanged: {SHORT} and {OTHER}") as caught:
        load(tree, allow_missing_text=True, max_dialogue_mismatch=1.0, **ANYTHING)
    for name in (SHORT, OTHER):
        assert str(getattr(tree, path)(name)) in str(caught.value)


def test_a_file_that_is_a_copy_of_another_dialogue_is_named(tree):
    tree.transcript(LONG).write_bytes(tree.transcript(LONG).read_bytes() + tree.transcript(SHORT).read_bytes())
    tree.transcript(SHORT).write_bytes(tree.transcript(OTHER).read_bytes())
    with pytest.raises(InvalidDataError, match=f"3 utterances of {SHORT} stand in the file of {LONG}"):
        load(tree)


def test_a_dialogue_that_emoevaluation_lacks_is_named(tree):
    lines = tree.evaluation(LONG).read_text().splitlines()
    tree.evaluation(LONG).write_text("\n".join(line for line in lines if "_F001" not in line and "_M002" not in line))
    with pytest.raises(InvalidDataError, match=rf"not in EmoEvaluation of 1 dialogue:\n  {LONG}: 2 of 7, the first"):
        load(tree, **ANYTHING)
    load(tree, max_dialogue_mismatch=0.3, **ANYTHING)


CUTS = {
    "between two lines": (lambda text: text[: text.index(f"{LONG}_F005")], rf"3 of 7 .*ends early, after {LONG}_M004"),
    "within a line": (lambda text: text[: text.index("Line 5") + 4], rf"2 of 7 .*ends early, within {LONG}_F005"),
    "within the last line": (lambda text: text[: text.index("Line 7") + 4], rf"\): it ends early, within {LONG}_F007"),
    "at the start": (lambda text: "", "7 of 7 utterances are missing; it has none of them"),
    "a line in the middle": (
        lambda text: "\n".join(line for line in text.splitlines() if not line.startswith(f"{LONG}_M002")),
        f"1 of 7 utterances are missing; not in the transcript: {LONG}_M002",
    ),
}


@pytest.mark.parametrize("name", ["3class", "iemocap"])
@pytest.mark.parametrize("cut", CUTS)
def test_a_transcript_that_lacks_text_is_an_error_unless_allowed_and_then_counted(tree, cut, name):
    change, message = CUTS[cut]
    tree.transcript(LONG).write_text(change(tree.transcript(LONG).read_text()))
    with pytest.raises(InvalidDataError, match=message) as caught:
        load(tree, name, **ANYTHING)
    assert str(tree.transcript(LONG)) in str(caught.value)
    assert "allow_missing_text=True" in str(caught.value)
    # What is missing is no mismatch any more; what was cut within a line still is.
    builder, rows = load(tree, name, allow_missing_text=True, max_mismatch=0.07)
    assert sum(len(row["utterances"]) for part in rows.values() for row in part) == 18
    found = re.match(r".*?(\d) of 7", message.replace(r"\)", ""))
    count = int(found[1]) if found else 0
    stated = f" Text of ConvECPE, where IEMOCAP's transcripts lack the utterance: {count}."
    assert builder.info.description.endswith(stated if count else builder.info.description)
    if name == "3class":
        counts = builder.merge_report.counts
        assert counts["utterances without a line in the transcripts (their text is ConvECPE's)"] == count


def test_missing_text_follows_the_data_to_the_statement_of_runs(tree):
    tree.transcript(LONG).write_text(CUTS["between two lines"][0](tree.transcript(LONG).read_text()))
    loaded = iemomecp_dataset.load(data_dir=tree.root, allow_missing_text=True)
    statement = corpus_of(loaded, config_name="3class").statement
    assert statement.endswith("; text of ConvECPE for 3 utterances that IEMOCAP's transcripts lack.")
    result = build_from_sources(BuildOptions(tree.root / "O", data_dir=tree.root, allow_missing_text=True))
    card = next(path for path in result.files if path.name == "README.md").read_text()
    assert "Text of ConvECPE, where IEMOCAP's transcripts lack the utterance: 3." in card


def test_with_the_text_of_convecpe_none_is_missing(tree):
    displaced(tree, lambda texts: texts)
    tree.transcript(LONG).write_text(CUTS["a line in the middle"][0](tree.transcript(LONG).read_text()))
    builder, _ = load(tree, text_source="ecpec", max_mismatch=0.06)
    assert "Text of ConvECPE, where" not in builder.info.description
    tree.transcript(LONG).write_text("")
    with pytest.raises(InvalidDataError, match=rf"not in the transcript of 1 dialogue:\n  {LONG}: 7 of 7"):
        load(tree, text_source="ecpec", **ANYTHING)  # their times would be lost


@pytest.mark.parametrize("path", ["transcript", "evaluation"])
def test_an_utterance_that_ends_before_it_starts_is_an_error(tree, path):
    file = getattr(tree, path)(LONG)
    text = file.read_text()
    swapped = text.replace("004.0000-005.5000", "005.5000-004.0000").replace("4.0000 - 5.5000", "5.5000 - 4.0000")
    assert swapped != text
    file.write_text(swapped)
    with pytest.raises(InvalidDataError) as caught:
        load(tree)
    assert f"{file}, turn 2, {LONG}_M002: starts at 5.5 s and ends before that, at 4 s" in str(caught.value)


def test_the_command_has_the_options_and_names_them(tree, capsys):
    tree.transcript(LONG).write_text(CUTS["between two lines"][0](tree.transcript(LONG).read_text()))
    arguments = ["--data-dir", str(tree.root), "--output-dir", str(tree.root / "O"), "--format", "json"]
    with pytest.raises(InvalidDataError, match="With --allow-missing-text"):
        build.main(arguments)
    build.main([*arguments, "--allow-missing-text"])
    assert "utterances without a line in the transcripts (their text is ConvECPE's): 3" in capsys.readouterr().out
    displaced(tree, lambda texts: [f"Another {number}" for number, _ in enumerate(texts)], SHORT)
    arguments += ["--allow-missing-text", "--max-mismatch", "1"]
    with pytest.raises(InvalidDataError, match="raise --max-dialogue-mismatch"):
        build.main(arguments)
    build.main([*arguments, "--max-dialogue-mismatch", "1"])


@pytest.mark.parametrize("value", [1, "yes", 0.5])
def test_missing_text_is_allowed_or_not(tree, value):
    with pytest.raises(UsageError, match="allow_missing_text must be True or False"):
        load(tree, allow_missing_text=value)


# --- times and emotions ---


def warned(tree, caplog):
    caplog.clear()
    builder, _ = load(tree, **ANYTHING)
    said = [record.getMessage() for record in caplog.records if "as they were released?" in record.getMessage()]
    assert all(sentence in builder.merge_report.to_text() for sentence in said)
    return said


def test_times_that_the_files_of_iemocap_state_differently_are_a_warning(tree, caplog):
    assert warned(tree, caplog) == []
    path = tree.transcript(LONG)
    plain = path.read_text()
    lines = [line for line in plain.splitlines() if line.startswith(LONG) and "_F900" not in line]
    times = [line[line.index("[") : line.index("]") + 1] for line in lines]
    shifted = [line.replace(own, other) for line, own, other in zip(lines, times, [*times[1:], times[0]], strict=True)]
    path.write_text("\n".join(shifted))
    (said,) = warned(tree, caplog)
    assert said.startswith("Times differ by more than 0.05 s between transcript and EmoEvaluation in 1 dialogue: ")
    assert f"7 of 7 in {LONG}. " in said
    path.write_text("\n".join([shifted[0], *lines[1:]]))
    assert warned(tree, caplog) == []


def test_a_dialogue_with_the_emotions_of_another_is_named(tree, caplog):
    path = tree.evaluation(LONG)
    lines = path.read_text().splitlines()
    for turn in range(1, 8):
        if turn == 4:
            assert warned(tree, caplog) == []
        at = next(number for number, line in enumerate(lines) if f"{tree.utterance_id(LONG, turn)}\t" in line)
        fields = lines[at].split("\t")
        fields[2] = "xxx"
        lines[at] = "\t".join(fields)
        path.write_text("\n".join(lines))
    (said,) = warned(tree, caplog)
    assert said.startswith(f"Emotions differ between EmoEvaluation and ConvECPE in 1 dialogue: 7 of 7 in {LONG}. ")


def test_marks_of_sounds_are_no_other_text(tree, caplog):
    displaced(tree, lambda texts: [f"[LAUGHTER] {text} [BREATHING]" for text in texts])
    _, rows = load(tree)
    assert rows["train"][0]["utterances"][0]["text"].startswith("[LAUGHTER] Line 1")
    assert "differ" not in caplog.text
    displaced(tree, lambda texts: [f"[and more] {text}" for text in texts])
    with pytest.raises(InvalidDataError, match="7 of 7 texts differ"):
        load(tree, **ANYTHING)


# --- recordings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["3class", "iemocap"])
def test_missing_recordings_are_a_warning_with_their_count(tree, name, caplog):
    load(tree, name)
    assert "without a recording" not in caplog.text
    divx = tree.root / "IEMOCAP" / "Session5" / "dialog" / "avi" / "DivX"
    divx.mkdir(parents=True)
    (divx / "Ses05F_impro03.avi").write_bytes(b"not really")
    for turn in (1, 2):
        wav = tree.root / "IEMOCAP" / "Session1" / "sentences" / "wav" / LONG / f"{tree.utterance_id(LONG, turn)}.wav"
        wav.unlink()
    load(tree, name)
    assert f"2 of 18 utterances are without a recording, the first {LONG}_F001; expected as Session*/sen" in caplog.text
    assert (
        "13 of 18 utterances are without a recording, the first Ses01F_impro01_F001; expected as Session*/dialog"
        in (caplog.text)
    )


# --- at full scale ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_dialogue_in_disorder_is_found_among_all(full_dir, tmp_path):
    """Each of these stays below one per cent of the corpus."""
    shutil.copytree(full_dir / "IEMOCAP", tmp_path / "IEMOCAP", ignore=shutil.ignore_patterns("sentences"))
    ecpec, iemocap = read_ecpec(find_ecpec(full_dir / "ECPEC")), find_iemocap(tmp_path / "IEMOCAP")
    one, other = (iemocap.transcripts[name] for name in ("Ses01F_impro01", "Ses03F_impro01"))
    lines = one.read_text().splitlines()
    heads, texts = zip(*(line.split(": ", 1) for line in lines), strict=True)

    def refused(message):
        _, comparison, _ = merged_utterances(ecpec, iemocap, "iemocap")
        with pytest.raises(InvalidDataError, match=message):
            enforce_limits(comparison, Tolerance(), "iemocap")

    for changed, place in (
        (texts[::-1], "they are reversed"),
        ([*texts[1:], texts[0]], "they are shifted by one line: .* above"),
        ([texts[-1], *texts[:-1]], "they are shifted by one line: .* below"),
    ):
        one.write_text("\n".join(f"{head}: {text}" for head, text in zip(heads, changed, strict=True)))
        refused(f"{one.stem} .*{place}")
    one.write_bytes(other.read_bytes())
    refused(f"{one.stem} .*; it has none of them, and utterances of {other.stem}\n")
    other.write_text("\n".join(lines))
    refused(f"two transcripts exchanged: {one.stem} and {other.stem}")
