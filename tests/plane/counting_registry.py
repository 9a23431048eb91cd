"""A way to the cluster's registry that counts what is asked."""

import http.client
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class CountingRegistry:
    """Hands requests on and counts them by method and what they are for: manifests, blobs, tags or ping."""

    def __init__(self, registry: str) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, registry))

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._server.server_address[:2]
        return f"{host}:{port}"

    @classmethod
    @contextmanager
    def running(cls, registry: str):
        """Serve for the time of a block."""
        counting: Self = cls(registry)
        thread = threading.Thread(target=counting._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield counting
        finally:
            counting._server.shutdown()
            counting._server.server_close()
            thread.join()


def _handler(counting: CountingRegistry, registry: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = self.path.split("/")
            purpose = next((word for word in ("manifests", "blobs", "tags") if word in parts), "ping")
            counting.counts[self.command, purpose] += 1
            connection = http.client.HTTPConnection(registry)
            connection.request(self.command, self.path, headers={"Accept": self.headers.get("Accept", "*/*")})
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"transfer-encoding", "connection", "date"}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            connection.close()

        do_HEAD = do_GET  # noqa: N815 - named as http.server wants it
        log_message = staticmethod(lambda *_: None)

    return Handler
