"""One request over libcurl, and what came of it."""

from __future__ import annotations

import socket
from typing import Any

import pycurl

from tasks.probes import certificate, words
from tasks.probes.attempt import Attempt, Failing
from tasks.probes.authorities import Trusted
from tasks.probes.curl import CurlError
from tasks.probes.headers import SWITCHING, Head
from tasks.probes.judge import judge_headers, judge_status
from tasks.probes.request import Request
from tasks.probes.transfer_errors import Asked, failing, is_ragged_end

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WEIRD_SERVER_REPLY = pycurl.E_FTP_WEIRD_SERVER_REPLY
_TAKEN = {
    "Invalid Content-Length: value": "a Content-Length that is no number",
    "Header without colon": "a header line without a colon",
    "Carriage return found in header": "a carriage return within a header",
}
"""Faults of headers that libcurl stops at and browsers pass over."""
_SEEN = {
    b"Excess found": "bytes after the end of the body",
    b"Leftovers after chunking": "bytes after the end of the body",
}


class Exchange:
    """`await run()`, then ask. One request of one attempt; `details` is added to as it gets along."""

    def __init__(self, attempt: Attempt, request: Request, trusted: Trusted | None, details: dict[str, Any]) -> None:
        self.request = request
        self.head = Head(self._head_is_enough)
        self.too_large = False
        """There is more of the body than is read."""
        self.broken = ""
        """What of the head makes the rest of the answer unreadable."""
        self.chain: tuple[bytes, ...] = ()
        """The certificates shown, in PEM form; the server's own first."""
        self.trusted = trusted
        """Whose signatures count; None where no certificate is judged."""
        self._attempt = attempt
        self._details = details
        self._body: list[bytes] = []
        self._noticed: list[str] = []
        self._stopped = False
        self._failing: Failing | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self._body)

    @property
    def location(self) -> str | None:
        """Where a redirect leads that is to be followed."""
        if not self._attempt.check.follow_redirects or self.head.status not in _REDIRECTS:
            return None
        return self.head.first("Location")

    async def run(self) -> None:
        """Raises Failing where there is no answer, or its status or headers are not as expected."""
        context, tls = self._attempt.context, self.request.url.scheme == "https"
        began = self._attempt.elapsed()
        addresses = await self._addresses()
        looked_up = self._attempt.elapsed() - began
        handle = context.transfers.handle()
        try:
            self.request.apply(handle, addresses)
            if tls:
                self._apply_tls(handle)
            handle.setopt(pycurl.HEADERFUNCTION, self.head.add)
            handle.setopt(pycurl.WRITEFUNCTION, self._body.append)
            closely = context.remarks.due(self.request.url)
            if closely:
                handle.setopt(pycurl.VERBOSE, 1)
                handle.setopt(pycurl.DEBUGFUNCTION, self._told)
            try:
                await context.transfers.perform(handle)
            except CurlError as error:
                self._ended(error, handle)
            if tls:
                self.chain = certificate.shown(handle)
            self._details["phases"] = _phases(handle, None if addresses is None else looked_up)
        finally:
            handle.close()
        if closely and self._failing is None:
            context.remarks.keep(self.request.url, self._seen_closely())
        if self._failing is not None:
            raise self._failing

    async def _addresses(self) -> list[str] | None:
        """Of the host; None where it is an address itself."""
        url = self.request.url
        if url.is_address:
            return None
        try:
            return [found.host for found in await self._attempt.context.names.resolve(url.host)]
        except socket.gaierror as error:
            raise Failing(words.of_os_error(error, url.host, url.port), self._details) from error

    def _apply_tls(self, handle: Any) -> None:
        handle.setopt(pycurl.OPT_CERTINFO, 1)
        if self.trusted is not None:
            self.trusted.apply(handle)
        else:
            handle.setopt(pycurl.SSL_VERIFYPEER, 0)
            handle.setopt(pycurl.SSL_VERIFYHOST, 0)

    def _head_is_enough(self) -> bool:
        self._judge_head()
        self._stopped = self._failing is not None or self.head.status == SWITCHING or self.location is not None
        return self._stopped

    def _told(self, kind: int, said: bytes) -> None:
        """libcurl's, with what it does."""
        if kind == pycurl.INFOTYPE_TEXT:
            self._noticed += [remark for begin, remark in _SEEN.items() if said.startswith(begin)]

    def _judge_head(self) -> None:
        a, head = self._attempt, self.head
        self._details["status"] = head.status
        a.waiting_for = "end of the body"
        if self.location is not None:
            return
        try:
            judge_status(head.status, a.check.expect, a.elapsed(), self._details)
            if self.broken and a.check.expect.headers:
                raise Failing(f"headers cannot be read: the answer has {self.broken}", self._details)
            judge_headers(head, a.check.expect, self._details)
        except Failing as error:
            self._failing = error

    def _ended(self, error: CurlError, handle: Any) -> None:
        """The transfer ended before its end: it was stopped, or judged by what had come, or it failed."""
        if self._stopped or is_ragged_end(error, self.head):
            return
        if error.code == pycurl.E_WRITE_ERROR:
            raise error  # nobody stopped it: a fault of our own
        head = self.head
        if not head.over:
            head.break_off()
        self.broken = _taken(error, head)
        self.too_large = error.code == pycurl.E_FILESIZE_EXCEEDED
        if self.broken or self.too_large:
            if not head.over:
                self._judge_head()
            return
        url = self.request.url
        asked = Asked(url.host, url.port, self.request.checked_name, self.trusted)
        raise failing(error, handle, asked, head, self._details) from error

    @property
    def remarks(self) -> list[str]:
        """What is malformed and was taken nonetheless, by this look or the last close one."""
        broken = [self.broken] if self.broken else []
        return list(dict.fromkeys([*broken, *self._attempt.context.remarks.of(self.request.url)]))

    def _seen_closely(self) -> list[str]:
        found = list(dict.fromkeys(self._noticed))
        lengths = [one for line in self.head.all("Content-Length") for one in line.split(",")]
        if len(lengths) > 1:
            found.append("several Content-Lengths")
        if lengths and self.head.all("Transfer-Encoding"):
            found.append("a Content-Length beside a Transfer-Encoding")
        if self.head.bare_line_feeds:
            found.append("lines that end in a line feed alone")
        return found


def _taken(error: CurlError, head: Head) -> str:
    """The fault of a head that a browser passes over; empty where it is another one."""
    said = str(error)
    if not head.status or head.over:
        return ""
    if error.code == pycurl.E_BAD_CONTENT_ENCODING and "Transfer-Encoding" in said:
        return "a Transfer-Encoding that nobody asked for"
    if said.startswith("Invalid Content-Length") and head.all("Content-Length"):
        return ""  # two that differ: not even browsers choose one
    return _TAKEN.get(said, "") if error.code == _WEIRD_SERVER_REPLY else ""


def _phases(handle: Any, looked_up: float | None) -> dict[str, float]:
    """Seconds that each phase took, of those there were."""
    info = handle.getinfo
    connected, begun, first = info(pycurl.CONNECT_TIME), info(pycurl.PRETRANSFER_TIME), info(pycurl.STARTTRANSFER_TIME)
    found = {} if looked_up is None else {"dns": looked_up}
    found["connect"] = connected - info(pycurl.NAMELOOKUP_TIME)
    shaken = info(pycurl.APPCONNECT_TIME)
    if shaken:
        found["tls"] = shaken - connected
    found["first_byte"] = first - begun
    found["transfer"] = info(pycurl.TOTAL_TIME) - first
    return {name: round(took, 6) for name, took in found.items()}
