"""What is read of the API server's answers."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from e2e.cluster.api import Api

LEVELS = 5_000


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f'{{"deep": {"[" * LEVELS}{"]" * LEVELS}}}' if self.path == "/deep" else '{"deep": []}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def api(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps({"clusters": [{"cluster": {"server": url}}], "users": [{"user": {"token": "x"}}]}))
        yield Api(path, tmp_path / "certificate")
        server.shutdown()
        thread.join()


def _levels(value):
    levels = 0
    while value:
        value, levels = value[0], levels + 1
    return levels + 1


def test_several_threads_read_objects_that_are_deeper_than_python_s_functions_may_be(api):
    limit = sys.getrecursionlimit()
    assert limit < LEVELS
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(api.get, ["/deep", "/flat"] * 10))
    assert [_levels(answer["deep"]) for answer in answers] == [LEVELS, 1] * 10
    assert sys.getrecursionlimit() == limit
