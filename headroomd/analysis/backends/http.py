"""What all HTTP backends share: one client, one exchange with limits, a few quick retries.

httpx and stamina are imported where something is asked, never before.

Proxies: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR of the environment are honoured
(`trust_env`), because many networks allow nothing else; a server on this machine is always reached directly.
"""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from headroomd.analysis.backends.base import (
    Answer,
    Backend,
    Garbled,
    Overloaded,
    Rejected,
    Request,
    Said,
    TooLong,
)
from headroomd.analysis.backends.failures import from_status
from headroomd.analysis.backends.keys import Key
from headroomd.errors import ConfigError

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpBackend", "checked_url", "decode"]

MAX_ANSWER: Final = 2 * 1024 * 1024  # bytes
_CONNECT: Final = 10.0  # seconds
_ATTEMPTS: Final = 3
_LONGEST_PAUSE: Final = 8.0  # seconds; a server that asks for more is left to the caller's queue

T = TypeVar("T")


class HttpBackend(Backend):
    """A vendor's dialect is its address, its headers, its body, and how its answer is read."""

    def __init__(self, model: str, base_url: str, key: Key | None, timeout: float) -> None:
        self.model = model
        self._base_url = base_url
        self._key = key
        self._timeout = timeout  # seconds for one ask, retries included
        self._level = 0  # the most demanding of `_demands` that the server is known to accept

    def describe(self) -> str:
        credential = f"with the key in {self._key.origin}" if self._key else "without a key"
        return f"{self.title} ({self.model}): redacted evidence goes to {self._base_url} {credential}"

    def ask(self, request: Request) -> Answer:
        stamina = _stamina()
        deadline = time.monotonic() + self._timeout
        for attempt in stamina.retry_context(
            on=_pause,
            attempts=_ATTEMPTS,
            timeout=self._timeout,
            wait_initial=0.5,
            wait_max=_LONGEST_PAUSE,
            wait_jitter=0.5,
        ):
            with attempt:
                said = self._read(self._exchange(request, deadline))
        return self._answer(request, said)

    def _exchange(self, request: Request, deadline: float) -> bytes:
        """The body of the answer. A server that refuses to be bound to a schema is asked for less, once and for all."""
        demands = self._demands(request)
        for level in range(self._level, len(demands)):
            try:
                received = self._post(demands[level], deadline)
            except Rejected as refusal:
                if refusal.status not in (400, 422) or level + 1 == len(demands):
                    raise
            else:
                self._level = level
                return received
        raise AssertionError("a dialect makes at least one demand")

    def _post(self, body: dict[str, Any], deadline: float) -> bytes:
        import httpx

        # lone surrogates, which Node writes, cannot be sent
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        left = max(deadline - time.monotonic(), 0.1)
        timeout = httpx.Timeout(left, connect=min(_CONNECT, left))
        headers = {"content-type": "application/json", **self._headers()}
        try:
            with _client().stream("POST", self._url(), content=content, headers=headers, timeout=timeout) as response:
                received = self._receive(response, deadline)
        except httpx.TimeoutException:
            raise self._too_slow() from None
        except httpx.ConnectError:
            raise Overloaded(
                f"{self.title}: no connection to {self._base_url}", "check that it runs and can be reached"
            ) from None
        except httpx.DecodingError:
            raise Garbled(f"{self.title}: the answer's compression is broken", "is a proxy in the way?") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Overloaded(f"{self.title}: the connection was dropped", "it is tried again later") from None
        if response.status_code == 200:
            return received
        raise self._failure(response.status_code, received, _retry_after(response.headers))

    def _receive(self, response: httpx.Response, deadline: float) -> bytes:
        """The body, within the limits: the time for one read alone would let a server drip forever."""
        received = bytearray()
        for chunk in response.iter_bytes():
            received += chunk
            if len(received) > MAX_ANSWER:
                raise Garbled(f"{self.title}: the answer is larger than {MAX_ANSWER} bytes")
            if time.monotonic() > deadline:
                raise self._too_slow()
        return bytes(received)

    def _failure(self, status: int, body: bytes, retry_after: float | None = None) -> Exception:
        credential = f"the key in {self._key.origin}" if self._key else "a request without a key"
        return from_status(
            self.title, status, body.decode("utf-8", "replace"),
            credential=credential, model=self.model, retry_after=retry_after,
        )  # fmt: skip

    def _too_slow(self) -> Overloaded:
        return Overloaded(
            f"{self.title}: no answer within {self._timeout:g} seconds", "it is tried again later", soon=False
        )

    def _cut(self) -> TooLong:
        return TooLong(f"{self.title}: the answer was cut off at its limit of tokens", "ask about less at once")

    def _refused(self) -> Garbled:
        return Garbled(f"{self.title}: the model refused to answer", "it is tried again later")

    @abstractmethod
    def _url(self) -> str: ...

    @abstractmethod
    def _headers(self) -> dict[str, str]: ...

    @abstractmethod
    def _demands(self, request: Request) -> list[dict[str, Any]]:
        """The body in all its forms, the most demanding first; the last one is plain and names the schema in words."""

    @abstractmethod
    def _read(self, body: bytes) -> Said:
        """What the answer says. Raises TooLong and Garbled."""


def decode(body: bytes, kind: type[T], title: str) -> T:
    """`body` as `kind`.

    Raises:
        Garbled: it is something else, such as a gateway's HTML page.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Garbled(f"{title}: the answer is not what its interface promises", "is a proxy in the way?") from None


def checked_url(url: str, origin: str) -> str:
    """`url` without its last slash.

    Raises:
        ConfigError: it is not the address of a server, or holds a password, which would be shown.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{origin} is not the address of a server", 'it must look like "http://127.0.0.1:11434/v1"')
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(f"{origin} holds more than an address", "put the key into key_file or the environment")
    return url.rstrip("/")


@cache
def _stamina() -> ModuleType:
    """stamina without its own log lines, which would go to standard output wherever no log is set up."""
    import stamina.instrumentation

    stamina.instrumentation.set_on_retry_hooks(())
    return stamina


@cache
def _client() -> httpx.Client:
    """The one client of this process: making it costs a quarter of a second (it reads all certificates)."""
    import httpx

    direct: dict[str, Any] = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"))
    return httpx.Client(
        follow_redirects=False,
        trust_env=True,
        mounts=direct,
        limits=httpx.Limits(max_connections=4, max_keepalive_connections=0),  # hours pass between batches
        headers={"user-agent": "headroomd", "accept": "application/json"},
    )


def _pause(error: Exception) -> bool | float:
    """Whether to try again at once, or after so many seconds: what stamina asks."""
    if not isinstance(error, Overloaded) or not error.soon:
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= _LONGEST_PAUSE else False


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that the server asks to be left alone: a number, or a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value).astimezone(UTC) - datetime.now(UTC)).total_seconds()
        except ValueError:
            return None
    return min(max(seconds, 0.0), 86400.0) if seconds == seconds else None  # not NaN
