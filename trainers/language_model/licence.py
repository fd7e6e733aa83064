"""Where licensed text may go: IEMOCAP's stays on this machine unless a host is named."""

from __future__ import annotations

import ipaddress
import re
import urllib.request
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from iemomecp_dataset.corpora.metadata import IEMOMECP, corpus_of_config
from iemomecp_dataset.errors import UsageError

__all__ = [
    "Route",
    "address_of",
    "check_route",
    "cluster_of",
    "host_of",
    "is_licensed",
    "is_loopback",
    "proxy_of",
]


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
    parts = _parts(url)
    if parts is None or parts.scheme not in ("http", "https"):
        # Whoever has mistyped the address may have written a password into it.
        told = url.rpartition("@")[2]
        raise UsageError(f"--base_url is {told[:200]!r}; give an address such as http://127.0.0.1:8000/v1.")
    return parts.hostname or ""


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


def address_of(url: str) -> str:
    """Host and port of an address, for messages: a password that stands in it is shown nowhere.

    Args:
        url: The address.

    Raises:
        UsageError: It is no address of the web.

    Example:
        >>> address_of("http://ann:secret@127.0.0.1:8000/v1"), address_of("https://api.openai.com/v1")
        ('127.0.0.1:8000', 'api.openai.com')
    """
    host = host_of(url)
    port = urlsplit(url).port
    host = f"[{host}]" if ":" in host else host
    return host if port is None else f"{host}:{port}"


def proxy_of(url: str) -> str | None:
    """The proxy of the environment through which an address is reached.

    Args:
        url: The address.

    Returns:
        The proxy's own address; None where there is none, where ``NO_PROXY`` names the host, or where the address is
        on this machine: what is meant for it is not sent elsewhere.

    Raises:
        UsageError: ``url`` or the proxy is no address.
    """
    host = host_of(url)
    if is_loopback(host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(urlsplit(url).scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(address_of(url)) or urllib.request.proxy_bypass(host):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not _host_of_any(proxy):
        raise UsageError(
            f"The environment's proxy for {host} is no address. Mend HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name "
            f"{host} in NO_PROXY."
        )
    return proxy


def cluster_of(address: str | None) -> str:
    """The machine by which a cluster of Ray is named.

    Args:
        address: As ``ray.init`` takes it; None or ``local``: Ray is started on this machine alone.

    Returns:
        Its host, or ``auto``; empty for this machine alone. Workers of a cluster whose head is on this machine may be
        on others.

    Example:
        >>> [cluster_of(one) for one in (None, "local", "auto", "10.1.2.3:6379", "ray://Head:10001", "[::1]:6379")]
        ['', '', 'auto', '10.1.2.3', 'head', '::1']
    """
    if address in (None, "", "local"):
        return ""
    address = str(address)
    return _host_of_any(address if "://" in address else f"ray://{address}") or address


_PLAIN = re.compile(r"[\x21-\x7e]+")
_HOST_AND_PORT = re.compile(r"(?:[^@]*@)?(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::[0-9]{0,5})?")


def _parts(url: str) -> SplitResult | None:
    """The parts of an address; None of what is none, or what another reader may take for one of another host."""
    if _PLAIN.fullmatch(url) is None or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        known, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return parts if known and _HOST_AND_PORT.fullmatch(parts.netloc) else None


def _host_of_any(url: str) -> str:
    parts = _parts(url)
    return "" if parts is None else parts.hostname or ""


@dataclass(frozen=True)
class Route:
    """Where the texts of requests go; each part is a host, or empty.

    Attributes:
        endpoint: Server that answers.
        proxy: Proxy of the environment before it.
        cluster: Cluster of Ray whose workers send, or answer.
    """

    endpoint: str = ""
    proxy: str = ""
    cluster: str = ""

    @classmethod
    def to(cls, url: str | None, *, cluster: str = "") -> Route:
        """The route to an address.

        Args:
            url: The address; None: no server is asked.
            cluster: Cluster whose workers do.
        """
        if url is None:
            return cls(cluster=cluster)
        return cls(host_of(url), _host_of_any(proxy_of(url) or ""), cluster)

    @property
    def leaves(self) -> tuple[tuple[str, str], ...]:
        """The hosts that may be other machines, and how each is told."""
        # A worker calls its own machine localhost; the cluster is what has to be named then.
        parts = (("--base_url", self.endpoint), ("the proxy of the environment", self.proxy))
        cluster = (("--ray_address", self.cluster),) if self.cluster else ()
        return (*((told, host) for told, host in parts if host and not is_loopback(host)), *cluster)


def check_route(config_name: str, synthetic: bool, route: Route, text_may_go_to: str | None) -> None:
    """Refuses to send licensed text to another machine, unless each host on the way is named.

    Args:
        config_name: Configuration of the texts.
        synthetic: Whether they are synthetic.
        route: Where they would go.
        text_may_go_to: The hosts that the user names, separated by commas.

    Raises:
        UsageError: They may not go there.
    """
    if not is_licensed(config_name, synthetic):
        return
    named = {host.strip().lower() for host in (text_may_go_to or "").split(",")} - {""}
    hosts = ",".join(dict.fromkeys(host for _, host in route.leaves))
    for told, host in route.leaves:
        if host in named:
            continue
        if named:
            raise UsageError(
                f"--text_may_go_to names {text_may_go_to}, but {told} is at {host}. IEMOCAP's texts go to no other "
                f"host; where your agreement allows it, --text_may_go_to {hosts}."
            )
        ways = {
            "--base_url": "Use a server on this machine (--base_url http://127.0.0.1:...)",
            "the proxy of the environment": f"Name {route.endpoint} in NO_PROXY",
            "--ray_address": "Leave --ray_address out, so that Ray is started on this machine alone",
        }
        raise UsageError(
            f"{config_name} holds IEMOCAP's texts, whose licence does not let them go to {host} ({told}). "
            f"{ways[told]}, or, where your agreement allows it, --text_may_go_to {hosts}."
        )
