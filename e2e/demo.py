"""The demo: from nothing to a chat completion through a gateway, on this machine; `make demo`, `make demo-shell`, `make demo-down`."""

import json
import os
import signal
import subprocess
import sys
import time
from http import HTTPStatus
from pathlib import Path

import click
from rich.console import Console

from e2e import workspaces
from e2e.chat import chat
from e2e.cluster import Cluster, ClusterError, down, up
from e2e.cluster.places import cache_dir
from e2e.cluster.processes import ProcessId
from e2e.controller import command

CLUSTER = "demo"
EXAMPLE = Path(__file__).parents[1] / "examples" / "quickstart"
WORKSPACE = "workspace-phi-4-mini"
MODEL = "phi-4-mini-instruct"
QUESTION = "What is a Gateway?"
SHOWN = "workspace,ocirepository,helmrelease,inferencepool,httproute,pod"

console = Console(highlight=False)


@click.group()
def main() -> None:
    """Show workspace-ctrl at work on this machine."""


@main.command("up")
def up_command() -> None:
    """Set everything up, serve the quickstart's model, and ask it something."""
    started = time.monotonic()
    try:
        _show(up(CLUSTER, install_packages=True))
    except (ClusterError, AssertionError, subprocess.CalledProcessError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; `make demo` goes on from here, `make demo-down` removes everything") from None
    console.print(f"\n[dim]all of this took {time.monotonic() - started:.0f} s[/]")


@main.command("down")
def down_command() -> None:
    """Stop the controller, end the cluster, and remove everything of both."""
    stopped = _stop_controller()
    gone = down(CLUSTER)
    console.print("the demo is gone" if gone or stopped else "there is no demo")


def _show(cluster: Cluster) -> None:
    _step("Installing the CRD and starting the controller")
    workspaces.install_crd(cluster)
    log = _start_controller(cluster)
    console.print(f"[dim]log of the controller: {log}[/]")

    _step(f"kubectl apply -f {os.path.relpath(EXAMPLE)}/")
    console.print(cluster.kubectl("apply", "-f", str(EXAMPLE), actor="user").rstrip())

    _step(f"workspace-ctrl status {WORKSPACE} --watch")
    _run(cluster, "status", WORKSPACE, "--watch", "--timeout", "120")

    _step(f"kubectl get {SHOWN}")
    console.print(cluster.kubectl("get", SHOWN).rstrip(), soft_wrap=True)

    url = workspaces.get(cluster, "default", "workspace", WORKSPACE)["status"]["gateway"]["url"]
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": QUESTION}]})
    request = f"curl {url}/v1/chat/completions -H 'content-type: application/json' -d '{body}'"
    _step("A chat completion through the gateway")
    console.print(request, style="dim", soft_wrap=True)
    answer = chat(cluster, url, MODEL, QUESTION)
    if answer.status != HTTPStatus.OK:
        raise AssertionError(f"the gateway answered {answer.status}: {answer.text}")
    console.print(f"[green]{answer.status}[/] from pod {answer.pod}: [bold]{answer.content}[/]")
    console.print("[dim](the stand-in for vLLM repeats the question; a real one needs a GPU)[/]")

    _step("How to go on")
    console.print("make demo-shell   a shell inside: kubectl, helm, and the request above")
    console.print("make demo-down    remove everything")


def _run(cluster: Cluster, *arguments: str) -> None:
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig_for("user"))}
    if subprocess.run([sys.executable, "-m", "workspace_ctrl", *arguments], env=environment, check=False).returncode:
        raise AssertionError(f"{WORKSPACE} did not become ready; the log of the controller: {_log()}")


def _start_controller(cluster: Cluster) -> Path:
    """Start the controller anew, so that a second demo shows the code as it is now."""
    _stop_controller()
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig_for("controller"))}
    _log().parent.mkdir(parents=True, exist_ok=True)
    with _log().open("w") as log:
        process = subprocess.Popen(
            command(cluster, "--progress-interval", "0.5"),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            close_fds=True,
        )
    _identity().write_text(json.dumps(vars(ProcessId.of(process.pid))))
    return _log()


def _stop_controller() -> bool:
    """Stop the demo's controller, if it runs; by pid and start time, so that no other process can be meant."""
    if not _identity().exists():
        return False
    identity = ProcessId.from_json(json.loads(_identity().read_text()))
    if identity.alive:
        os.kill(identity.pid, signal.SIGTERM)
        if not identity.gone_within(10):
            identity.kill()
    _identity().unlink()
    return True


def _identity() -> Path:
    return cache_dir() / "demo" / "controller.json"


def _log() -> Path:
    return cache_dir() / "demo" / "controller.log"


def _step(words: str) -> None:
    console.print(f"\n[bold cyan]▶ {words}[/]")


if __name__ == "__main__":
    main()
