"""The options of the service: address, limits and access. The defaults are those of ``textlrp serve``."""

from __future__ import annotations

from dataclasses import dataclass, field

OPEN_PATHS = ("/", "/healthz", "/readyz")
"""Paths that need no token: the live page, which contains no text and asks for the token itself, and the probes."""
BODIES = 4
"""The bodies of all requests that wait together may be this many times as long as the longest one."""
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
"""Names in the header ``Host`` that are accepted unless others are allowed."""
ANY_ADDRESS = ("0.0.0.0", "::", "")
"""Values of ``host`` that listen on all addresses, and so name none of them."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The options of a service.

    - ``host``, ``port``: where it listens; port 0 is a free one. ``workers``: number of processes.
    - ``token``: if given, requests need ``Authorization: Bearer TOKEN``, except those of :data:`OPEN_PATHS`.
    - ``max_body``: bytes of a request. ``max_text_length``: characters of a text. ``max_batch``: texts of a request.
    - ``max_waiting``: requests that a worker processes or keeps waiting; further ones are answered with 503.
    - ``timeout``: seconds for each of three things: to receive a request, to compute the response, and to send a
      part of it.
    - ``cors_origins``: origins whose pages may use the API, ``*`` for all. ``allowed_hosts``: further values of the
      header ``Host``, ``*`` for all.
    - ``slow_methods``: whether methods that evaluate the model many times for one text are offered.
    - ``log_texts``: whether the log contains the texts.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    token: str | None = field(default=None, repr=False)
    max_body: int = 1 << 20
    max_text_length: int = 20_000
    max_batch: int = 64
    max_waiting: int = 64
    timeout: float = 30.0
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    slow_methods: bool = False
    log_texts: bool = False

    def accepted_hosts(self) -> frozenset[str] | None:
        """Return the accepted names of the header ``Host``, in lower case and without a port; None accepts any."""
        if "*" in self.allowed_hosts:
            return None
        own = () if self.host in ANY_ADDRESS else (self.host,)
        return frozenset(name.lower().strip("[]") for name in (*LOCAL_HOSTS, *own, *self.allowed_hosts))
