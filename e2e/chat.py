"""A chat completion through the gateway, sent from where the gateway can be reached."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from e2e.cluster import Cluster
from e2e.waiting import WAIT_SECONDS

_PAUSE_SECONDS = 0.2
_SEND = """
import json, sys, urllib.error, urllib.request
url, body, count, headers = sys.argv[1], sys.argv[2] or None, int(sys.argv[3]), json.loads(sys.argv[4])
request = urllib.request.Request(url, data=body and body.encode(), headers={"Content-Type": "application/json", **headers})
answers = []
for _ in range(count):
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    text = answer.read().decode(errors="replace")
    answers.append({"status": answer.status, "pod": answer.headers.get("x-inference-pod") or "", "text": text})
print(json.dumps(answers))
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
    return chats(cluster, url, model, words, 1)[0]


def chat_until_answered(cluster: Cluster, url: str, model: str, words: str) -> Answer:
    """Ask the model behind `url` again until it answers: an endpoint picker that is Ready may not listen for some moments yet.

    Raises:
        AssertionError: it does not.
    """
    return chats_until_answered(cluster, url, model, words, 1)[0]


def chats_until_answered(cluster: Cluster, url: str, model: str, words: str, count: int) -> list[Answer]:
    """Ask the model behind `url` again until it answers `count` times, one after the other: a proxy learns of changes some moments later.

    Raises:
        AssertionError: it does not.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            answers = chats(cluster, url, model, words, count)  # raises where nobody listens yet, or no name leads there
            failed = [answer for answer in answers if answer.status != HTTPStatus.OK]
            assert not failed, f"{url} answers {failed[-1].status}: {failed[-1].text}"  # noqa: S101 - a test waits
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        else:
            return answers
        time.sleep(_PAUSE_SECONDS)


def chats(cluster: Cluster, url: str, model: str, words: str, count: int) -> list[Answer]:
    """Ask the model behind `url` several times, one request after the other.

    Raises:
        AssertionError: there was no answer at all.
    """
    return _send(cluster, f"{url}/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": words}]}, count)


def chat_without_tokens(cluster: Cluster, url: str, model: str) -> Answer:
    """Ask the model behind `url` for an answer of no tokens, as the controller does to see whether a model server is only busy.

    Raises:
        AssertionError: there was no answer at all.
    """
    document = {"model": model, "messages": [{"role": "user", "content": "Say yes."}], "max_tokens": 0}
    return _send(cluster, f"{url}/v1/chat/completions", document, 1)[0]


def fetch(cluster: Cluster, url: str, headers: Mapping[str, str] = MappingProxyType({})) -> Answer:
    """Get `url`, with further headers.

    Raises:
        AssertionError: there was no answer at all.
    """
    return _send(cluster, url, None, 1, headers)[0]


def _send(cluster: Cluster, url: str, document: Any, count: int, headers: Mapping[str, str] = MappingProxyType({})) -> list[Answer]:
    body = json.dumps(document) if document else ""
    result = cluster.run(["python3", "-c", _SEND, url, body, str(count), json.dumps(dict(headers))])
    if result.returncode:
        raise AssertionError(f"no answer from {url}: {result.stderr.strip().splitlines()[-1]}")
    return [Answer(**entry) for entry in json.loads(result.stdout)]
