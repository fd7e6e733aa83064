"""Where licensed text may go: IEMOCAP's stays on this machine unless a host is named."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from iemomecp_dataset.corpora.metadata import IEMOMECP, corpus_of_config
from iemomecp_dataset.errors import UsageError

__all__ = ["check_host", "host_of", "is_licensed", "is_loopback"]


def is_licensed(config_name: str, synthetic: bool = False) -> bool:
    """Whether the texts of a configuration are IEMOCAP's, which their licence does not let go to others.

    Args:
        config_name: The configuration.
        synthetic: Whether the data is synthetic; then it has no text of IEMOCAP.

    Example:
        >>> is_licensed("3class"), is_licensed("iemocap"), is_licensed("ecf"), is_licensed("3class", synthetic=True)
        (True, True, False, False)
    """
    return not synthetic and (corpus_of_config(config_name) == IEMOMECP or config_name == "iemocap")


def host_of(url: str) -> str:
    """The host of an address.

    Args:
        url: Such as ``http://127.0.0.1:8000/v1``.

    Raises:
        UsageError: It is no address of the web.

    Example:
        >>> host_of("https://API.openai.com/v1"), host_of("http://[::1]:8000/v1")
        ('api.openai.com', '::1')
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"--base_url is {url!r}; give an address such as http://127.0.0.1:8000/v1.")
    return host


def is_loopback(host: str) -> bool:
    """Whether a host is this machine.

    Args:
        host: As :func:`host_of` gives it. Of names only ``localhost`` is known to be.

    Example:
        >>> [is_loopback(host) for host in ("localhost", "127.0.0.53", "::1", "10.0.0.1", "localhost.example.org")]
        [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_host(config_name: str, synthetic: bool, host: str, text_may_go_to: str | None) -> None:
    """Refuses to send licensed text to another machine, unless its host is named.

    Args:
        config_name: Configuration of the texts.
        synthetic: Whether they are synthetic.
        host: Where they would go.
        text_may_go_to: The host that the user names.

    Raises:
        UsageError: They may not go there.
    """
    if not is_licensed(config_name, synthetic) or is_loopback(host):
        return
    if text_may_go_to is None:
        raise UsageError(
            f"{config_name} holds IEMOCAP's texts, whose licence does not let them go to {host}. Use a server on this "
            f"machine (--base_url http://127.0.0.1:...), or, where your agreement allows it, --text_may_go_to {host}."
        )
    if text_may_go_to.lower() != host:
        raise UsageError(
            f"--text_may_go_to names {text_may_go_to}, but --base_url is at {host}. IEMOCAP's texts "
            "go to no other host."
        )
