"""Serves the page of a running sweep on this machine: built anew from the journal at every request."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness.contracts.errors import BenchError
from harness.report.markup import text
from harness.report.page import build
from harness.runs.store import Store

LOOPBACK = "127.0.0.1"


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Make a server of one page on the loopback address; `port` 0 takes a free one.

    Raises:
        BenchError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.split("?")[0] not in ("/", "/report.html"):
                self.send_error(404)
                return
            try:
                status, body = 200, build(Store.reopen(folder), live=True)
            except BenchError as e:
                status, body = 503, f'<!doctype html><html lang="en"><title>no report</title><p>{text(e)}</p></html>'
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: requests are no news."""

    try:
        return ThreadingHTTPServer((LOOPBACK, port), Handler)
    except OSError as e:
        raise BenchError(f"port {port} can't be opened ({e.strerror})", cure="give another one by --port") from e
