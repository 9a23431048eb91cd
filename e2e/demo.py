"""The demo: from nothing to a chat completion through a gateway, on this machine; `make demo`, `make demo-shell`, `make demo-down`."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from e2e import workspaces
from e2e.chat import chat_until_answered
from e2e.cluster import Cluster, ClusterError, LocalCluster, down, up
from e2e.cluster.addons import ALL, workspace_ctrl
from e2e.cluster.installation import Installation
from e2e.cluster.own_image import controller
from e2e.cluster.progress import Steps

CLUSTER = "demo"
EXAMPLE = Path(__file__).parents[1] / "examples" / "quickstart"
WORKSPACE = "workspace-phi-4-mini"
MODEL = "phi-4-mini-instruct"
QUESTION = "What is a Gateway?"
LOG = f"kubectl logs --namespace {workspace_ctrl.NAMESPACE} deployment/workspace-ctrl"
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
        _show(up(CLUSTER, addons=(ALL, "workspace-ctrl-image"), install_packages=True))
    except (ClusterError, AssertionError, subprocess.CalledProcessError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; `make demo` goes on from here, `make demo-down` removes everything") from None
    console.print(f"\n[dim]all of this took {time.monotonic() - started:.0f} s[/]")


@main.command("down")
def down_command() -> None:
    """End the cluster and remove everything of it."""
    console.print("the demo is gone" if down(CLUSTER) else "there is no demo")


def _show(cluster: LocalCluster) -> None:
    _step(f"helm upgrade --install workspace-ctrl charts/workspace-ctrl --namespace {workspace_ctrl.NAMESPACE} --wait")
    _install(cluster)
    console.print(cluster.kubectl("get", "pods", f"--namespace={workspace_ctrl.NAMESPACE}").rstrip())
    console.print(f"[dim]its log: make demo-shell, then: {LOG}[/]")

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
    answer = chat_until_answered(cluster, url, MODEL, QUESTION)
    console.print(f"[green]{answer.status}[/] from pod {answer.pod}: [bold]{answer.content}[/]")
    console.print("[dim](the stand-in for vLLM repeats the question; a real one needs a GPU)[/]")

    _step("How to go on")
    console.print("make demo-shell   a shell inside: kubectl, helm, and the request above")
    console.print("make demo-down    remove everything")


def _run(cluster: Cluster, *arguments: str) -> None:
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig_for("user"))}
    if subprocess.run([sys.executable, "-m", "workspace_ctrl", *arguments], env=environment, check=False).returncode:
        raise AssertionError(f"{WORKSPACE} did not become ready; the log of the controller: {LOG}")


def _install(cluster: LocalCluster) -> None:
    """Install the chart, or upgrade it, so that a second demo shows the code as it is now."""
    work = Installation.on(cluster, Steps())
    if not work.has_image(controller()):
        work.import_image(controller())
    workspace_ctrl.install(work)


def _step(words: str) -> None:
    console.print(f"\n[bold cyan]▶ {words}[/]")


if __name__ == "__main__":
    main()
