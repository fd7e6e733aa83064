"""IEMOCAP's texts stay on this machine unless a host is named."""

from __future__ import annotations

import pytest

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.find_sources import texts_are_synthetic
from iemomecp_dataset.options import load_options
from iemomecp_dataset.trainers.language_model.licence import Route, address_of, check_route, cluster_of, host_of

PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("config", ["3class", "source_binary", "iemocap"])
@pytest.mark.parametrize("host", ["api.openai.com", "10.0.0.1", "localhost.example.org", "127.0.0.1.example.org"])
def test_licensed_text_does_not_go_to_a_foreign_host(config, host):
    route = Route.to(f"http://{host}:8000/v1")
    with pytest.raises(UsageError, match="licence does not let them go to"):
        check_route(config, False, route, None)
    with pytest.raises(UsageError, match="IEMOCAP's texts go to no other host"):
        check_route(config, False, route, "another.example.org")
    check_route(config, False, route, f"other, {host.upper()}")
    check_route(config, True, route, None)  # synthetic


def test_other_texts_and_this_machine_are_free():
    check_route("ecf", False, Route.to("https://api.openai.com/v1"), None)
    check_route("3class", False, Route.to("http://127.0.0.1:1/v1"), None)
    check_route("3class", False, Route.to(None), None)


@pytest.mark.parametrize("address", ["10.1.2.3:6379", "127.0.0.1:6379", "auto", "ray://head:10001"])
@pytest.mark.parametrize("url", [None, "http://127.0.0.1:8000/v1"])
def test_workers_of_a_cluster_are_other_machines_wherever_its_head_is(address, url):
    route = Route.to(url, cluster=cluster_of(address))
    with pytest.raises(UsageError, match="--ray_address"):
        check_route("3class", False, route, None)
    check_route("3class", False, route, cluster_of(address))
    check_route("3class", True, route, None)
    both = Route.to("http://h/v1", cluster=cluster_of(address))
    with pytest.raises(UsageError, match=r"--ray_address is at"):
        check_route("3class", False, both, "h")
    check_route("3class", False, both, f"h,{cluster_of(address)}")


def test_a_proxy_on_another_machine_is_a_host_that_has_to_be_named(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://ann:secret@proxy.example.org:3128")
    route = Route.to("http://gpu7:8000/v1")
    assert route == Route("gpu7", "proxy.example.org")
    with pytest.raises(UsageError, match=r"proxy\.example\.org \(the proxy.*\)|but the proxy") as error:
        check_route("3class", False, route, "gpu7")
    assert "secret" not in str(error.value)
    check_route("3class", False, route, "gpu7,proxy.example.org")
    assert Route.to("http://127.0.0.1:8000/v1") == Route("127.0.0.1")
    monkeypatch.setenv("no_proxy", "gpu7")
    assert Route.to("http://gpu7:8000/v1") == Route("gpu7")
    check_route("3class", False, Route.to("http://gpu7:8000/v1"), "gpu7")


def test_a_proxy_on_this_machine_is_no_other_host(monkeypatch):
    monkeypatch.setenv("http_proxy", "localhost:3128")
    check_route("3class", False, Route.to("http://gpu7:8000/v1"), "gpu7")


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://h/v1",
        "http:///v1",
        "http://[::1",
        "",
        "http://h:port/v1",
        "http://a\n@127.0.0.1:1/v1",
        " http://127.0.0.1/v1",
        "http://[::1].example.org/v1",
        "http://127.0.0.1\\@example.org/v1",
        "http://a@example.org@127.0.0.1/",
        "http://127.0.0.1\t.example.org/",
        "http://[::1%25eth0]/v1",
        "http://\uff11\uff12\uff17.0.0.1/v1",
        "http://127.0.0.1,example.org/v1",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UsageError, match="give an address such as"):
        host_of(url)


@pytest.mark.parametrize(
    "url",
    ["http://h/v1", "https://ann:x%40y@Host_1.example.org:8000/v1", "http://[::FFFF:127.0.0.1]:80/v1", "http://h:/v1"],
)
def test_an_address_has_the_host_that_the_client_sends_to(url):
    httpx2 = pytest.importorskip("httpx2")
    assert host_of(url) == httpx2.URL(url).host.lower()


def test_a_proxy_of_all_addresses_counts(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example.org:3128")
    assert Route.to("http://gpu7:8000/v1") == Route("gpu7", "proxy.example.org")


def test_texts_are_synthetic_where_the_folders_that_they_come_from_are_marked(tmp_path):
    options = load_options("3class", {"data_dir": tmp_path})
    (tmp_path / "SYNTHETIC.txt").touch()
    assert not texts_are_synthetic(options)
    for name in ("labels", "ECPEC", "IEMOCAP"):
        (tmp_path / name).mkdir()
    for name in ("labels", "ECPEC", "IEMOCAP"):
        assert not texts_are_synthetic(options)
        (tmp_path / name / "SYNTHETIC.txt").touch()
    assert texts_are_synthetic(options)
    # A link leads to the genuine release.
    (tmp_path / "genuine").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "IEMOCAP").symlink_to(tmp_path / "genuine")
    (tmp_path / "other" / "SYNTHETIC.txt").touch()
    assert not texts_are_synthetic(load_options("3class", {"data_dir": tmp_path / "other"}))


def test_a_password_of_an_address_is_not_shown():
    assert address_of("http://ann:secret@h:1/v1") == "h:1"
    with pytest.raises(UsageError) as error:
        host_of("ann:secret@h:1/v1")
    assert "secret" not in str(error.value)
