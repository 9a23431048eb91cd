"""`counting.py PORT BEHIND COMMAND...`: a model server that counts its requests as vLLM does, in front of one that does not.

It runs COMMAND, which serves on the port BEHIND, and passes all requests from PORT on to it. Its `/metrics` has in addition what vLLM
counts with the FastAPI instrumentator: requests by handler, method and status class, and how long they took. Every so many POST requests,
as FAIL_EVERY says, one is answered with 500.
"""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, BEHIND = int(sys.argv[1]), int(sys.argv[2])
FAIL_EVERY = int(os.environ.get("FAIL_EVERY", "0"))
UNSEEN = ("/metrics", "/health")
"""Handlers that vLLM does not count."""
HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "date", "server", "keep-alive")


class Counts:
    """What was counted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._seconds: dict[tuple[str, str], float] = {}
        self._posts = 0

    def is_to_fail(self) -> bool:
        """Whether this POST request is one of those that fail."""
        with self._lock:
            self._posts += 1
            return FAIL_EVERY > 0 and self._posts % FAIL_EVERY == 0

    def add(self, handler: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        with self._lock:
            self._requests[handler, method, f"{status // 100}xx"] += 1
            self._seconds[handler, method] = self._seconds.get((handler, method), 0.0) + seconds

    def page(self) -> str:
        """Return the metrics."""
        with self._lock:
            lines = ["# TYPE http_requests_total counter"]
            for (handler, method, status), count in self._requests.items():
                lines.append(f'http_requests_total{{handler="{handler}",method="{method}",status="{status}"}} {count}.0')
            lines.append("# TYPE http_request_duration_seconds histogram")
            for (handler, method), seconds in self._seconds.items():
                labels = f'handler="{handler}",method="{method}"'
                count = sum(number for (*of, _), number in self._requests.items() if tuple(of) == (handler, method))
                lines.append(f"http_request_duration_seconds_count{{{labels}}} {count}.0")
                lines.append(f"http_request_duration_seconds_sum{{{labels}}} {seconds}")
        return "\n".join(lines) + "\n"


COUNTS = Counts()


class Front(BaseHTTPRequestHandler):
    """Passes requests on."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Pass a request on; metrics get what is counted here."""
        self._serve()

    def do_POST(self) -> None:
        """Pass a request on, or fail."""
        self._serve()

    def _serve(self) -> None:
        began = time.monotonic()
        body = self._body()
        if self.command == "POST" and COUNTS.is_to_fail():
            status, headers, answer = 500, [("content-type", "text/plain")], b"told to fail\n"
        else:
            status, headers, answer = self._behind(body)
        if self.path not in UNSEEN:
            COUNTS.add(self.path, self.command, status, time.monotonic() - began)
        elif self.path == "/metrics":
            answer += COUNTS.page().encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _body(self) -> bytes:
        """Return the body of the request, which Envoy sends in chunks where an endpoint picker has seen it."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body

    def _behind(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", BEHIND, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        except OSError:
            return 503, [], b"not started yet\n"
        finally:
            connection.close()
        return answer.status, [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP], content

    def log_message(self, *_: object) -> None:
        """Say nothing of single requests."""


def main() -> int:
    """Serve until the server behind ends, or a signal comes."""
    behind = subprocess.Popen(sys.argv[3:])
    signal.signal(signal.SIGTERM, lambda *_: behind.terminate())
    threading.Thread(target=ThreadingHTTPServer(("", PORT), Front).serve_forever, daemon=True).start()
    return behind.wait()


if __name__ == "__main__":
    sys.exit(main())
