"""Commands about an object that can be copied as they are. Pure."""

import json
import shlex
from collections.abc import Iterator

from workspace_ctrl.api.labels import KIND
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.cache.watches import GATEWAY
from workspace_ctrl.cli.page.page_object import PageObject


def is_gateway(found: PageObject) -> bool:
    """Whether an object is a Gateway."""
    return found.kind == GATEWAY.kind


def commands_for(found: PageObject, options: str) -> Iterator[tuple[str, str]]:
    """Yield what each command is for, and the command; `options` choose the cluster, and are empty for the default."""
    place = f"-n {shlex.quote(found.namespace)}{options and f' {options}'}"
    if is_gateway(found):
        named = f"gateway {shlex.quote(found.name)} {place}"
        yield "Status in full", f"kubectl get {named} -o yaml"
        yield "Events", f"kubectl describe {named}"
        proxy = f"gateway.networking.k8s.io/gateway-name={found.name}"
        yield "Its pods", f"kubectl get pods {place} -l {shlex.quote(proxy)}"
        return
    short = "" if found.kind == KIND else f"{found.kind.lower()}/"
    named = f"{short}{shlex.quote(found.name)} {place}"
    yield "The chain, and what is broken", f"workspace-ctrl explain {named}"
    yield "Follow it until it is ready", f"workspace-ctrl status {named} --watch"
    yield "Events of all its objects", f"workspace-ctrl events {named}"
    yield "Logs of its pods", f"workspace-ctrl logs {named}"
    if found.url:
        yield "Ask the model", f"workspace-ctrl chat {named} Hello"
    yield "Status in full", f"kubectl get {found.kind.lower()} {shlex.quote(found.name)} {place} -o yaml"


def with_options(command: str, options: str) -> str:
    """Return a command of the table of reasons for the cluster that `options` choose; one that is a pipe as it is."""
    return f"{command} {options}" if options and "|" not in command else command


def request_to(found: PageObject) -> str:
    """Return a request to the model with curl; empty if it has no URL."""
    if not found.url or not found.model:
        return ""
    body = json.dumps({"model": found.model, "messages": [{"role": "user", "content": "Hello"}]})
    url = printable(found.url.rstrip("/"))
    header = "Content-Type: application/json"
    return f"curl {shlex.quote(f'{url}/v1/chat/completions')} -H {shlex.quote(header)} -d {shlex.quote(body)}"
