"""An HTTP server in a process of its own that stops answering for a while: `python stalling_server.py BEGIN LENGTH`.

It prints its port. From BEGIN to BEGIN + LENGTH seconds after the first request nothing is answered; then everything
that came meanwhile is, at once. `/status/503` answers 503, `/hang` never, `/close` hangs up.
"""

import asyncio
import re
import sys
import time


class Stalling(asyncio.Protocol):
    first: float | None = None

    def connection_made(self, transport):
        self.transport = transport
        self.unread = b""

    def data_received(self, data):
        """Requests come in pieces, and several at once."""
        self.unread += data
        while b"\r\n\r\n" in self.unread:
            head, _, rest = self.unread.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            body = int(length[1]) if length is not None else 0
            if len(rest) < body:
                return
            self.unread = rest[body:]
            self.requested(head.split(b" ", 2)[1])

    def requested(self, path):
        Stalling.first = Stalling.first or time.monotonic()
        begin, length = float(sys.argv[1]), float(sys.argv[2])
        left = Stalling.first + begin + length - time.monotonic()
        if path == b"/hang":
            return
        if path == b"/close":
            self.transport.close()
        elif 0 < left < length:
            asyncio.get_running_loop().call_later(left, self.answer, path)
        else:
            self.answer(path)

    def answer(self, path):
        status = path.removeprefix(b"/status/").decode() if path.startswith(b"/status/") else "200"
        self.transport.write(f"HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\nhello".encode())


async def main():
    server = await asyncio.get_running_loop().create_server(Stalling, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(120)


asyncio.run(main())
