"""The download of MELD's files: what is accepted as released, and which options fit together."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from iemomecp_dataset.commands.fetch import main
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.overlay.fetching import FetchOptions, fetch_files

CONTENT = b"Sr No.,Utterance\r\n"
BLOB = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()


@pytest.fixture(name="url")
def fixture_url():
    """A server that gives every file the same content."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}/MELD/"
    httpd.shutdown()
    httpd.server_close()


def test_the_first_digits_of_an_id_verify_a_file(url, tmp_path):
    options = FetchOptions(base_url=url, progress=False)
    assert fetch_files(tmp_path, {"whole.csv": BLOB, "first.csv": BLOB[:8]}, options) == {
        "whole.csv": "downloaded",
        "first.csv": "downloaded",
    }
    assert fetch_files(tmp_path, {"first.csv": BLOB[:8]}, options) == {"first.csv": "already there"}
    other = f"{(int(BLOB[:8], 16) + 1) % 16**8:08x}"
    with pytest.raises(InvalidDataError, match=f"not those of the released file.*expected {other}"):
        fetch_files(tmp_path, {"other.csv": other}, options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.csv", "whole.csv"]


def test_meld_is_pinned_by_its_published_blobs():
    corpus = CORPORA["meld"]
    assert [blob[:8] for blob in corpus.blobs.values()] == ["b91dbd63", "91dd39cd", "357d4a5f"]
    assert [len(blob) for blob in corpus.blobs.values()] == [40, 40, 8]
    assert list(corpus.blobs) == [names[0] for names in corpus.split_files.values()]
    assert corpus.base_url.endswith("declare-lab/MELD/master/data/MELD")


def test_the_command_fetches_meld_from_a_mirror_and_refuses_other_bytes(url, tmp_path, monkeypatch, capsys):
    arguments = ["--corpus", "meld", "--output-dir", str(tmp_path), "--base-url", url]
    with pytest.raises(InvalidDataError, match=r"train_sent_emo\.csv: the bytes are not those of the released file"):
        main(arguments)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(
        "iemomecp_dataset.corpora.metadata.CORPORA",
        {"meld": type("Record", (), {"blobs": {"x.csv": BLOB}, "base_url": "http://127.0.0.1:9"})},
    )
    main(arguments)
    assert capsys.readouterr().out == f"{tmp_path / 'x.csv'}: downloaded, verified\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--label-dir is required"),
        (["--corpus", "meld"], "--output-dir is required"),
        (["--corpus", "meld", "--label-dir", "x"], "name the folder of other files by --output-dir alone"),
        (["--label-dir", "x", "--output-dir", "y"], "--label-dir is the folder of the label files"),
        (["--corpus", "meld", "--output-dir", "x", "--hub-repo", "a/b"], "--hub-repo is for the label files"),
        (["--corpus", "mled", "--output-dir", "x"], "meld"),
        (["--corpus", "ecem", "--output-dir", "x"], "--corpus ecem needs --base-url"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(arguments, said):
    with pytest.raises(UsageError, match=said):
        main(arguments)
