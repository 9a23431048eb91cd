"""A chat completion through the gateway, sent from where the gateway can be reached."""

import json
from dataclasses import dataclass
from typing import Any

from e2e.cluster import Cluster

_SEND = """
import json, sys, urllib.error, urllib.request
url, body = sys.argv[1], sys.argv[2] or None
request = urllib.request.Request(url, data=body and body.encode(), headers={"Content-Type": "application/json"})
try:
    answer = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
text = answer.read().decode(errors="replace")
print(json.dumps({"status": answer.status, "pod": answer.headers.get("x-inference-pod") or "", "text": text}))
"""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    """HTTP status."""
    pod: str
    """Name of the pod that served the request; empty where none did."""
    text: str
    """The body."""

    @property
    def content(self) -> str:
        """The assistant's words."""
        words: str = json.loads(self.text)["choices"][0]["message"]["content"]
        return words


def chat(cluster: Cluster, url: str, model: str, words: str) -> Answer:
    """Ask the model behind `url`; errors of the gateway are answers, too.

    Raises:
        AssertionError: there was no answer at all.
    """
    return send(cluster, f"{url}/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": words}]})


def send(cluster: Cluster, url: str, document: Any = None) -> Answer:
    """Post `document` to `url`, or get it where there is none.

    Raises:
        AssertionError: there was no answer at all.
    """
    result = cluster.run(["python3", "-c", _SEND, url, json.dumps(document) if document else ""])
    if result.returncode:
        raise AssertionError(f"no answer from {url}: {result.stderr.strip().splitlines()[-1]}")
    return Answer(**json.loads(result.stdout))
