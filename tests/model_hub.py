"""A model hub on loopback, in a thread: for tests whose client is another process, or a command."""

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from e2e.waiting import WAIT_SECONDS

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "max_position_embeddings": 32768,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
}
SIZE = 15 * 2**30

Answer = tuple[int, bytes] | Callable[[BaseHTTPRequestHandler], None]


class ModelHub:
    """The files of a few repositories; use it as a context manager."""

    def __init__(self, certificate: Path | None = None) -> None:
        """Make it; with a `certificate`, beside whose file is `tls.key`, it is served by HTTPS."""
        self.answers: dict[str, Answer] = {}
        """Path → status and body, or a function that answers; other paths are not found."""
        self.requests: list[str] = []
        """Paths, in the order of the requests."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.requests.append(self.path)
                answer = hub.answers.get(self.path, (404, b"Entry not found"))
                if callable(answer):
                    answer(self)
                    return
                status, body = answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate, certificate.with_name("tls.key"))
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def options(self) -> tuple[str, ...]:
        """Options of the commands that ask it."""
        return ("--model-hub", self.url, "--model-hub-network", "127.0.0.0/8")

    def add(self, model: str, config: Any = CONFIG, total: Any = SIZE) -> None:
        """Publish a model with these figures."""
        self.put(model, "config.json", (200, json.dumps(config).encode()))
        self.put(model, "model.safetensors.index.json", (200, json.dumps({"metadata": {"total_size": total}}).encode()))

    def put(self, model: str, file: str, answer: Answer) -> None:
        """Answer requests for a file of a model so."""
        self.answers[f"/{model}/resolve/main/{file}"] = answer

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(WAIT_SECONDS)
