"""Files are read strictly and written atomically, whatever fails on the way."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.files import (
    atomic_write,
    check_place,
    error_of_place,
    holds_file,
    make_folder,
    parse_json,
    put_in_place,
    read_json,
    read_lines,
    read_text,
    stream_lines,
    write_bytes,
    write_json,
    write_text,
    writing_to,
)
from iemomecp_dataset.files.bounds import DEEPEST_JSON

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def everything_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Reading.


def test_line_ends_of_old_macintosh_programs_are_called_that(tmp_path):
    file = tmp_path / "text.txt"
    file.write_bytes(b"12 2\r(1,1)\r")
    with pytest.raises(InvalidDataError, match=r"lines end in a carriage return \(CR\) alone"):
        read_lines(file)


def test_text_is_read_without_its_byte_order_mark_and_split_at_lf_and_crlf_alone(tmp_path):
    file = tmp_path / "text.txt"
    file.write_bytes("\ufeffa\r\nb\u2028c\x0bd\n".encode())
    assert read_text(file) == "a\r\nb\u2028c\x0bd\n"
    assert read_lines(file) == ["a", "b\u2028c\x0bd", ""]
    assert list(stream_lines(file)) == ["a\r\n", "b\u2028c\x0bd\n"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\nb\xffc\n", r"line 2: not UTF-8 text \(byte 1 of the line: invalid start byte\)"),
        (b"a\nb\n\xc3", "line 3: not UTF-8 text"),
        ("a,b\n".encode("utf-16-le"), "line 1: not UTF-8 text .a NUL byte"),
    ],
)
def test_a_streamed_line_that_is_not_utf_8_is_named(tmp_path, content, said):
    file = tmp_path / "text.csv"
    file.write_bytes(content)
    with pytest.raises(InvalidDataError, match=said):
        list(stream_lines(file))
    with pytest.raises(MissingDataError, match="cannot be read"):
        list(stream_lines(tmp_path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a": 1', "ends too early"),
        (b'{"a" 1, "b": 2}', "line 1, column 6: not valid JSON"),
        (b'{"a": {"b": 1, "b": 2}}', "the key 'b' is given twice"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[" + b"1" * 10_000 + b"]", "not valid JSON"),
    ],
)
def test_content_that_is_not_json_is_named(tmp_path, content, said):
    file = tmp_path / "broken.json"
    file.write_bytes(content)
    with pytest.raises(InvalidDataError, match=r"broken\.json") as caught:
        read_json(file)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["absent.json", "."])
def test_a_file_that_cannot_be_read_is_missing_data(tmp_path, name):
    with pytest.raises(MissingDataError, match="cannot be read"):
        read_json(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Ana: Hi!".encode("utf-16"), "UTF-16 by its first two bytes"),
        ("a\nAna: Hi!".encode("utf-16-be"), "line 1: not UTF-8 text (a NUL byte"),
        (b"a\nb\0c", "line 2: not UTF-8 text (a NUL byte"),
    ],
)
def test_text_in_utf_16_is_called_what_it_is(tmp_path, content, said):
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(InvalidDataError) as caught:
        read_text(tmp_path / "text.txt")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (r'[1, {"a": ["x", "Oh \ud83d!"]}]', r"a\.json, entry 2, 'a', entry 2: half of a surrogate pair in 'Oh \?!'"),
        (r'{"\udc00": 1}', r"a\.json, a key: half"),
        (r'"\ud83d\ud83d\ude00"', r"a\.json: half"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused_with_its_place(content, place):
    with pytest.raises(InvalidDataError, match=place):
        parse_json(content, "a.json")


def test_whole_surrogate_pairs_and_escaped_backslashes_are_text():
    assert parse_json(r'["\ud83d\ude00", "\\ud83d"]', "a.json") == ["\U0001f600", r"\ud83d"]


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_json_is_nested_to_a_bound(opening, closing):
    most = DEEPEST_JSON // (opening.count("[") + opening.count("{"))
    parse_json(opening * most + "1" + closing * most, "a.json")
    for levels in (most + 1, 900, 100_000):
        with pytest.raises(InvalidDataError, match="nested more than 200 levels deep"):
            parse_json(opening * levels + "1" + closing * levels, "a.json")


def test_brackets_within_texts_are_no_nesting():
    assert parse_json(json.dumps([":["] * 500), "a.json") == [":["] * 500


# Neither a regular file nor something that the shell has opened: reading it could wait for ever.


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.parametrize("reads", [read_text, read_json, read_lines, lambda path: list(stream_lines(path))])
def test_pipes_devices_and_sockets_are_refused_before_they_are_opened(tmp_path, pipe, reads):
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(tmp_path / "socket"))
        for path, kind in ((pipe, "named pipe"), (Path("/dev/zero"), "device"), (tmp_path / "socket", "socket")):
            with pytest.raises(MissingDataError, match=f"{path.name}: is a {kind}, expected a file"):
                reads(path)


def test_what_the_shell_has_opened_is_read(tmp_path):
    outlet, inlet = os.pipe()
    os.write(inlet, b'{"a": 1}\n')
    os.close(inlet)
    assert read_json(Path(f"/dev/fd/{outlet}")) == {"a": 1}
    os.close(outlet)


# Writing.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
).filter(lambda content: "\\ud" not in json.dumps(content))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON, st.sampled_from([None, 2]))
def test_json_comes_back_as_it_was_written(tmp_path, content, indent):
    file = tmp_path / "new folder" / "content.json"
    write_json(file, content, indent=indent)
    assert read_json(file) == content
    assert names_in(file.parent) == ["content.json"]


@pytest.mark.parametrize("content", [float("nan"), {"a": float("inf")}, object(), "\ud800"])
def test_what_is_not_json_leaves_the_old_file(tmp_path, content):
    write_json(tmp_path / "a.json", 1)
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "a.json", content)
    assert everything_in(tmp_path) == {"a.json": b"1\n"}


def claim_run_folder(folder: Path) -> None:
    from iemomecp_dataset.trainers.options import TrainingOptions
    from iemomecp_dataset.trainers.run_folder import RunFolder

    RunFolder(folder).claim(TrainingOptions(), {})


def save_figure(folder: Path) -> None:
    from iemomecp_dataset.benchmark.figures.style import save

    save(None, folder, "any")  # type: ignore[arg-type]


def claim_store(folder: Path) -> None:
    from iemomecp_dataset.features.store.store_card import StoreCard, claim_store

    claim_store(folder, StoreCard.__new__(StoreCard))


def save_model(folder: Path) -> None:
    from transformers import RobertaConfig, RobertaModel

    from iemomecp_dataset.features.encoders.tiny_models import write_random_model

    config = RobertaConfig(vocab_size=8, hidden_size=4, num_hidden_layers=1, num_attention_heads=1)
    write_random_model(RobertaModel, config, None, folder, 0)


def run_matrix(folder: Path) -> None:
    from iemomecp_dataset.benchmark.matrix.launch import run_cells
    from iemomecp_dataset.benchmark.matrix.state_table import StateTable
    from iemomecp_dataset.jobs.local import LocalBackend

    run_cells([], folder, LocalBackend([{}]), StateTable([]))


def fetch(folder: Path) -> None:
    from iemomecp_dataset.overlay.fetching import fetch_labels

    fetch_labels(folder, blobs={})


@pytest.mark.parametrize(
    "use",
    [make_folder, claim_run_folder, save_figure, claim_store, save_model, run_matrix, fetch],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("folder", ["theirs.csv", "theirs.csv/runs"])
def test_an_output_folder_that_is_a_file_is_an_error_of_ours(use, folder, tmp_path):
    (tmp_path / "theirs.csv").write_text("x")
    reason = "File exists" if folder == "theirs.csv" else "Not a directory"
    with pytest.raises(UsageError) as caught:
        use(tmp_path / folder)
    assert str(caught.value) == f"{tmp_path / folder}: cannot be written ({reason}). Choose another place."
    assert (tmp_path / "theirs.csv").read_text() == "x"


def test_text_keeps_its_line_ends_and_a_file_the_usual_rights(tmp_path):
    write_text(tmp_path / "a.txt", "a\r\nb\n")
    (tmp_path / "usual").touch()
    assert (tmp_path / "a.txt").read_bytes() == b"a\r\nb\n"
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def fail_in_block(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def write(self: Path, content: bytes) -> None:
        with open(self, "wb") as stream:
            stream.write(content[: len(content) // 2])
        raise error

    monkeypatch.setattr(Path, "write_bytes", write)


def fail_in_sync(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fsync(descriptor: int) -> None:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise error

    monkeypatch.setattr(os, "fsync", fsync)


def fail_in_rename(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def replace(self: Path, target: Path) -> None:
        raise error

    monkeypatch.setattr(Path, "replace", replace)


@pytest.mark.parametrize("there_before", [True, False])
@pytest.mark.parametrize("fail", [fail_in_block, fail_in_sync, fail_in_rename])
@pytest.mark.parametrize(
    ("error", "raised"),
    [(FULL, UsageError), (KeyboardInterrupt(), KeyboardInterrupt), (ZeroDivisionError(), ZeroDivisionError)],
    ids=["full disk", "Ctrl-C", "defect"],
)
def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(
    tmp_path, monkeypatch, fail, error, raised, there_before
):
    if there_before:
        write_bytes(tmp_path / "a", b"old")
    with monkeypatch.context() as patched:
        fail(patched, error)
        with pytest.raises(raised) as caught:
            write_bytes(tmp_path / "a", b"new content")
    if raised is UsageError:
        said = (
            "cannot be written (No space left on device). Make space there and start the same command again, or choose "
            "another place."
        )
        assert str(caught.value) == f"{tmp_path / 'a'}: {said}"
    assert everything_in(tmp_path) == ({"a": b"old"} if there_before else {})


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=64), st.lists(st.tuples(st.binary(max_size=64), st.booleans()), max_size=4))
def test_any_sequence_of_writes_leaves_the_last_one_that_went_well(tmp_path, first, writes):
    file = tmp_path / "a"
    write_bytes(file, first)
    expected = first
    for content, fails in writes:
        try:
            with atomic_write(file) as partial:
                partial.write_bytes(content)
                assert file.read_bytes() == expected
                if fails:
                    raise FULL
            expected = content
        except UsageError:
            assert fails
        assert everything_in(tmp_path) == {"a": expected}


def test_a_folder_in_the_place_of_the_file_is_kept(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "inside").touch()
    with pytest.raises(UsageError, match="Is a directory"):
        write_text(tmp_path / "a", "text")
    assert names_in(tmp_path) == ["a"]
    assert names_in(tmp_path / "a") == ["inside"]


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_folder_without_a_name_of_its_own_is_no_file_either(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"cannot be written \(Is a directory\)"):
        write_text(Path(name), "text")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("place", ["file/a.txt", "file/deeper/a.txt"])
def test_a_parent_that_is_a_file_is_a_usage_error(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Choose another place"):
        write_text(tmp_path / place, "text")
    assert everything_in(tmp_path) == {"file": b""}


def test_a_read_only_folder_is_a_usage_error(tmp_path, monkeypatch):
    # Root may write anywhere, so the refusal is made up for it.
    folder = tmp_path / "read-only"
    folder.mkdir()
    write_text(folder / "a.txt", "old")
    folder.chmod(0o555)
    try:
        if os.access(folder, os.W_OK):
            refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))

            def write(self: Path, content: bytes) -> None:
                raise refused

            monkeypatch.setattr(Path, "write_bytes", write)
        with pytest.raises(UsageError, match="Permission denied"):
            write_text(folder / "a.txt", "new")
    finally:
        folder.chmod(0o755)
    assert everything_in(folder) == {"a.txt": b"old"}


def test_errors_of_ours_pass_through(tmp_path):
    with pytest.raises(MissingDataError, match="a source"), atomic_write(tmp_path / "a"):
        raise MissingDataError("a source is missing")
    assert everything_in(tmp_path) == {}


def test_file_and_folder_are_synced_before_and_after_the_rename(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: steps.append(stat.S_ISDIR(os.fstat(descriptor).st_mode)))
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, target: steps.append("rename") or replace(self, target))
    write_text(tmp_path / "a", "text")
    assert steps == [False, "rename", True]


def test_a_folder_is_put_in_place_with_all_its_files_synced(tmp_path, monkeypatch):
    partial = tmp_path / "partial"
    (partial / "inner").mkdir(parents=True)
    for name in ("a", "inner/b"):
        (partial / name).write_text(name)
    wanted = {path.stat().st_ino for path in (tmp_path, partial, *partial.rglob("*"))}
    synced = set()
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.add(os.fstat(descriptor).st_ino))
    put_in_place(partial, tmp_path / "complete")
    assert synced == wanted
    assert (tmp_path / "complete" / "inner" / "b").read_text() == "inner/b"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_text(pipe, "text")
    reader.join()
    assert received == [b"text"]
    assert pipe.is_fifo()
    write_text(Path(os.devnull), "text")
    assert Path(os.devnull).is_char_device()


def test_a_descriptor_gets_the_content_at_its_end_and_nothing_is_replaced(tmp_path):
    file = tmp_path / "output.txt"
    with file.open("w") as stream:
        stream.write("printed before\n")
        stream.flush()
        there = file.stat().st_ino
        link = tmp_path / "link"
        link.symlink_to(f"/dev/fd/{stream.fileno()}")
        for place in (Path(f"/dev/fd/{stream.fileno()}"), Path(f"/proc/self/fd/{stream.fileno()}"), link):
            assert not holds_file(place)
            write_text(place, "table\n")
        stream.write("printed after\n")
    assert file.read_text() == "printed before\n" + 3 * "table\n" + "printed after\n"
    assert file.stat().st_ino == there
    assert link.is_symlink()


def test_of_a_link_the_file_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "first").symlink_to("second")
    (tmp_path / "second").symlink_to(tmp_path / "elsewhere" / "scores.json")
    for text in ("old", "new"):  # the first time it leads to nothing
        write_text(tmp_path / "first", text)
        assert (tmp_path / "elsewhere" / "scores.json").read_text() == text
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert names_in(tmp_path / "elsewhere") == ["scores.json"]
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(UsageError, match="circle: cannot be written"):
        write_text(tmp_path / "circle", "text")


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127])
def test_the_longest_names_that_a_file_may_have(tmp_path, name):
    write_text(tmp_path / name, "text")
    assert everything_in(tmp_path) == {name: b"text"}
    with pytest.raises(UsageError, match="File name too long"):
        write_text(tmp_path / (2 * name), "text")


def wrapped(error: BaseException) -> RuntimeError:
    """As ``datasets`` raises what happens while rows are made."""
    try:
        raise RuntimeError("An error occurred while generating the dataset") from error
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (FULL, "No space left on device"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "Disk quota exceeded"),
        (OSError(errno.EFBIG, "File too large"), "File too large"),
        (OSError(errno.EROFS, "Read-only file system", "/elsewhere/x"), None),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), "No space left"),
        (RuntimeError("Error writing bytes to file. Detail: [errno 28] No space left on device"), "No space left"),
        (wrapped(FULL), "No space left on device"),
        (wrapped(wrapped(PermissionError(errno.EACCES, "Permission denied"))), "Permission denied"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "weights"), None),
        (ZeroDivisionError(), None),
        (RuntimeError("size mismatch (28)"), None),
    ],
    ids=str,
)
def test_what_any_library_raises_on_a_place_is_one_sentence(error, cause):
    with pytest.raises(UsageError if cause else type(error)) as caught, writing_to(Path("runs/a/model")):
        raise error
    if cause:
        assert str(caught.value).startswith(f"runs/a/model: cannot be written ({cause}")


def test_a_write_that_fails_without_a_number_is_explained_by_the_free_space(monkeypatch):
    failed = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 103424 vs 103312")
    assert error_of_place(failed, Path.cwd()) is None
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=0))
    assert error_of_place(failed, Path("not/there/yet")).errno == errno.ENOSPC


def test_full_shared_memory_is_named(tmp_path, monkeypatch):
    full = {Path("/dev/shm")}
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=0 if place in full else 2**30))
    with pytest.raises(UsageError, match=r"^/dev/shm: cannot be written .No space left"), writing_to(tmp_path):
        raise FULL
    full.add(tmp_path)
    with pytest.raises(UsageError, match=f"^{tmp_path}: cannot be written .No space left"), writing_to(tmp_path):
        raise FULL


def test_the_file_within_a_folder_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"model/config\.json: cannot be written"), writing_to(tmp_path / "model"):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "model" / "config.json"))


@pytest.mark.parametrize(
    ("place", "cause"),
    [
        ("new", None),
        ("new/deeper/new", None),
        ("file", None),
        ("file/below", "Not a directory"),
        ("file/deeper/below", "Not a directory"),
        ("locked", "Permission denied"),
        ("locked/new", "Permission denied"),
    ],
)
def test_a_place_is_checked_before_the_work(tmp_path, monkeypatch, place, cause):
    (tmp_path / "file").touch()
    (tmp_path / "locked").mkdir()
    # Root may write anywhere, so the refusal is made up.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "locked")
    if cause is None:
        check_place(tmp_path / place)
    else:
        with pytest.raises(UsageError, match=f"{place}: cannot be written .{cause}"):
            check_place(tmp_path / place)
    assert names_in(tmp_path) == ["file", "locked"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with atomic_write(tmp_path / "a") as one, atomic_write(tmp_path / "a") as other:
        one.write_text("one")
        other.write_text("other")
    assert everything_in(tmp_path) == {"a": b"one"}


def test_a_killed_writer_leaves_the_old_content(tmp_path):
    write_text(tmp_path / "a", "old")
    code = (
        "import os, signal, sys, pathlib\nfrom iemomecp_dataset.files import atomic_write\n"
        "with atomic_write(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "a"], check=False)
    assert (tmp_path / "a").read_text() == "old"
    (leftover,) = tmp_path.glob(".a.*.partial")
    assert leftover.read_text() == "half"


def test_remains_are_those_of_the_current_folder(tmp_path, monkeypatch):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".a.0a1b2c3d.partial").touch()
        monkeypatch.chdir(tmp_path / name)
        write_text(Path("a"), name)
        assert everything_in(tmp_path / name) == {"a": name.encode()}


def test_no_more_memory_is_set_aside_than_a_file_needs(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"rain" * 1_000_000)
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from iemomecp_dataset.files import read_bytes\n"
        "pages = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (pages + (64 << 20), resource.RLIM_INFINITY))\n"
        "print(len(read_bytes(Path(sys.argv[1]))))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "x.txt"], capture_output=True, text=True, check=False)
    assert done.stdout == "4000000\n", done.stderr
