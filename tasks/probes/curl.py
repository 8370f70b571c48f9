"""libcurl's multi interface on an asyncio loop: any number of transfers at once, none of which blocks it.

libcurl says which sockets it waits for and when it wants to be called (`curl_multi_socket_action(3)`). The sockets are
kept in an epoll set of our own, which the loop watches as one descriptor: a reader of the loop for each socket would
cost a quarter more CPU a check.
"""

from __future__ import annotations

import asyncio
import select
from contextlib import suppress
from typing import Any

import pycurl

from forewatch import __version__

USER_AGENT = f"Forewatch/{__version__}"
AT_ONCE = 256
"""Sockets looked after before the loop gets its turn."""
LONGEST = 7 * 86400
"""Seconds libcurl may take to connect; whoever waits for a transfer gives up long before."""


class CurlError(Exception):
    """A transfer that did not come to its end. `code`: of libcurl (`pycurl.E_...`)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Transfers:
    """The transfers of one loop. Made on it; no handle outlives `close`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._template = _template()
        self._waiting: dict[pycurl.Curl, asyncio.Future[None]] = {}
        self._timer: asyncio.Handle | None = None
        self._sockets: set[int] = set()
        self._epoll = select.epoll()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._arm)
        self._loop.add_reader(self._epoll.fileno(), self._ready)

    def handle(self) -> Any:
        """A new handle for one transfer: a connection of its own, no cookies, no proxies, no `.netrc`, no redirects."""
        return self._template.duphandle()

    async def perform(self, handle: Any) -> None:
        """Carry out one transfer. Raises CurlError. Cancelled, it ends at once, and its connection with it."""
        done = self._waiting[handle] = self._loop.create_future()
        self._multi.add_handle(handle)
        try:
            await done
        finally:
            if self._waiting.pop(handle, None) is not None:
                self._multi.remove_handle(handle)

    def close(self) -> None:
        for handle, done in self._waiting.items():
            self._multi.remove_handle(handle)
            done.cancel()
        self._waiting.clear()
        self._loop.remove_reader(self._epoll.fileno())
        self._multi.close()
        if self._timer is not None:
            self._timer.cancel()
        self._epoll.close()

    def _watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        """libcurl waits for something else of a socket."""
        if what == pycurl.POLL_REMOVE:
            self._sockets.discard(fd)
            # One that is closed has left the set by itself.
            with suppress(OSError):
                self._epoll.unregister(fd)
            return
        events = (select.EPOLLIN if what & pycurl.POLL_IN else 0) | (select.EPOLLOUT if what & pycurl.POLL_OUT else 0)
        if fd in self._sockets:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
            self._sockets.add(fd)

    def _arm(self, milliseconds: int) -> None:
        """libcurl wants to be called after some time; -1: no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if milliseconds == 0:
            self._timer = self._loop.call_soon(self._expired)
        elif milliseconds > 0:
            self._timer = self._loop.call_later(milliseconds / 1000, self._expired)

    def _expired(self) -> None:
        self._timer = None
        _, running = self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._settle(running)

    def _ready(self) -> None:
        running = len(self._waiting)
        for fd, events in self._epoll.poll(0, AT_ONCE):
            ready = pycurl.CSELECT_IN if events & (select.EPOLLIN | select.EPOLLHUP) else 0
            if events & select.EPOLLOUT:
                ready |= pycurl.CSELECT_OUT
            if events & select.EPOLLERR:
                ready |= pycurl.CSELECT_ERR
            _, running = self._multi.socket_action(fd, ready)
        self._settle(running)

    def _settle(self, running: int) -> None:
        if running >= len(self._waiting):
            return
        left = 1
        while left:
            left, well, failed = self._multi.info_read()
            for handle in well:
                self._over(handle, None)
            for handle, code, message in failed:
                self._over(handle, CurlError(code, message))

    def _over(self, handle: Any, error: CurlError | None) -> None:
        self._multi.remove_handle(handle)
        done = self._waiting.pop(handle)
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


def _template() -> Any:
    curl = pycurl.Curl()
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    # A kept connection or TLS session would go on showing the old process, the old address and the old certificate to
    # a check whose users already fail to connect.
    curl.setopt(pycurl.FRESH_CONNECT, 1)
    curl.setopt(pycurl.FORBID_REUSE, 1)
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    # Names are looked up by us. Else libcurl would go through all it remembers for each transfer.
    curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
    curl.setopt(pycurl.CONNECTTIMEOUT, LONGEST)
    curl.setopt(pycurl.USERAGENT, USER_AGENT)
    curl.setopt(pycurl.PATH_AS_IS, 1)
    return curl
