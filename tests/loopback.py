"""A web server on the loopback address that can misbehave, for tests of downloads."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 9000


class Server:
    """Gives one file at every address.

    Attributes:
        content: the file.
        ranges: the header Range of every request so far.
        breaks_after: how far into the file the connection breaks, if it does.
        knows_ranges: whether it continues where it is asked to.
        says_size: whether it announces the size.
        redirects_to: where it sends everybody instead, if it does.
    """

    def __init__(self) -> None:
        self.content = CONTENT
        self.ranges: list[str | None] = []
        self.breaks_after: int | None = None
        self.knows_ranges = True
        self.says_size = True
        self.redirects_to: str | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.01,))
        self._thread.start()

    def url(self, name: str) -> str:
        """The address of a file."""
        return f"http://127.0.0.1:{self._httpd.server_port}/{name}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request as told."""
        wanted = request.headers["Range"]
        self.ranges.append(wanted)
        if self.redirects_to:
            request.send_response(302)
            request.send_header("Location", self.redirects_to)
            request.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start and start >= len(self.content):
            request.send_error(416)
            return
        if not self.knows_ranges:
            start = 0
        request.send_response(206 if start else 200)
        if start:
            end = len(self.content)
            request.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        if self.says_size:
            request.send_header("Content-Length", str(len(self.content) - start))
        request.end_headers()
        request.wfile.write(self.content[start : self.breaks_after])

    def close(self) -> None:
        """Answer no more."""
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()
