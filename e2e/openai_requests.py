"""What OpenAI's Python client makes of an answer: `openai_requests.py BASE_URL REQUEST [MODEL [CHARACTERS]]`.

Run where the Gateway can be reached. REQUEST is `list`, `retrieve`, `chat` or `stream`; the question of a chat has so many characters.
Standard output is JSON: what the client returns, or the error that it raises.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

from openai import APIStatusError, DefaultHttpxClient, OpenAI
from openai.types.chat import ChatCompletionUserMessageParam

_PATIENCE_SECONDS = 30.0


def client_of(base_url: str, headers: Mapping[str, str] | None = None) -> OpenAI:
    """Return a client without proxies and without retries, which would hide what was answered."""
    http = DefaultHttpxClient(trust_env=False)
    return OpenAI(
        base_url=base_url, api_key="unused", default_headers=headers, max_retries=0, timeout=_PATIENCE_SECONDS, http_client=http
    )


def ask(client: OpenAI, request: str, model: str = "", characters: str = "11") -> dict[str, Any]:
    """Send a request, and return what the client returns, or the error that it raises, as a document."""
    try:
        return _ask(client, request, model, ("hello there" * int(characters))[: int(characters)])
    except APIStatusError as error:
        return {"error": type(error).__name__, "code": error.code, "status": error.status_code, "message": str(error)}


def _ask(client: OpenAI, request: str, model: str, words: str) -> dict[str, Any]:
    question: ChatCompletionUserMessageParam = {"role": "user", "content": words}
    match request:
        case "list":
            return {"models": [entry.to_dict() for entry in client.models.list()]}
        case "retrieve":
            return {"model": client.models.retrieve(model).to_dict()}
        case "chat":
            answer = client.chat.completions.create(model=model, messages=[question])
            return {"model": answer.model, "content": answer.choices[0].message.content}
        case "stream":
            parts = client.chat.completions.create(model=model, messages=[question], stream=True)
            texts = [choice.delta.content or "" for part in parts for choice in part.choices]
            return {"parts": len(texts), "content": "".join(texts)}
    raise ValueError(f"unknown request {request}")


if __name__ == "__main__":
    with client_of(sys.argv[1]) as made:
        print(json.dumps(ask(made, *sys.argv[2:])))
