"""IEMOCAP's texts stay on this machine unless a host is named."""

from __future__ import annotations

import pytest

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.language_model.licence import check_host, host_of


@pytest.mark.parametrize("config", ["3class", "source_binary", "iemocap"])
@pytest.mark.parametrize("host", ["api.openai.com", "10.0.0.1", "localhost.example.org", "127.0.0.1.example.org"])
def test_licensed_text_does_not_go_to_a_foreign_host(config, host):
    with pytest.raises(UsageError, match="licence does not let them go to"):
        check_host(config, False, host, None)
    with pytest.raises(UsageError, match="IEMOCAP's texts go to no other host"):
        check_host(config, False, host, "another.example.org")
    check_host(config, False, host, host.upper())
    check_host(config, True, host, None)  # synthetic


def test_other_texts_and_this_machine_are_free():
    check_host("ecf", False, "api.openai.com", None)
    check_host("3class", False, "127.0.0.1", None)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://h/v1", "http:///v1", "http://[::1", ""])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UsageError, match="give an address such as"):
        host_of(url)
