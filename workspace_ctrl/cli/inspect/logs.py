"""`workspace-ctrl logs`: the logs of the pods of a Workspace."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from workspace_ctrl.api.labels import FIELD_MANAGER, PICKER_POD_LABEL
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.cli.arguments.durations import DURATION
from workspace_ctrl.cli.arguments.object_names import parse_names
from workspace_ctrl.cli.connection_options import access_of, calling, connection_options, namespace_of
from workspace_ctrl.cli.inspect.named_workspaces import find_named
from workspace_ctrl.cli.inspect.objects_of_workspace import Belonging
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import RejectedError
from workspace_ctrl.kube.pager import list_all
from workspace_ctrl.kube.resources import ApiResource, Json

_POD: Final = ApiResource("", "v1", "pods", "Pod")
_LONGEST_LINE: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Container:
    namespace: str
    pod: str
    name: str

    @property
    def path(self) -> str:
        return _POD.path(self.namespace, self.pod, "log")


@click.command("logs")
@click.argument("name", metavar="NAME")
@connection_options
@click.option("--namespace", "-n", metavar="NAMESPACE", help="Namespace.  [default: that of the context]")
@click.option("--container", "-c", default="", help="Only this container.")
@click.option("--endpoint-picker", is_flag=True, help="The pods of the endpoint picker instead of the model server.")
@click.option("--follow", "-f", is_flag=True, help="Go on as long as the pods write, until Ctrl-C.")
@click.option("--previous", "-p", is_flag=True, help="The run of a container before its last restart.")
@click.option("--tail", type=click.IntRange(min=0), default=100, show_default=True, help="Last lines of each container.")
@click.option("--since", type=DURATION, help="Only lines of this last time, such as 5m.")
def logs_command(
    *,
    name: str,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    container: str,
    endpoint_picker: bool,
    follow: bool,
    previous: bool,
    tail: int,
    since: float | None,
) -> None:
    """Print the logs of the pods of a Workspace.

    Of all containers of the model server, or of its endpoint picker; lines of several begin with pod and container.
    Exit code: 0; 1 if there is no pod, or no log.
    """
    access = access_of(kubeconfig, context)
    own = namespace_of(access, namespace)
    parameters = {"tailLines": str(tail), "follow": str(follow).lower(), "previous": str(previous).lower()}
    if since is not None:
        parameters["sinceSeconds"] = str(max(round(since), 1))

    async def ask(client: Client) -> bool:
        item = await find_named(client, parse_names((name,))[0], own)
        containers = await _containers(client, item, container, endpoint_picker=endpoint_picker)
        printed = await asyncio.gather(
            *(_print_log(client, each, parameters, with_prefix=len(containers) > 1) for each in containers)
        )
        return any(printed)

    if not calling(access, FIELD_MANAGER, ask):
        raise click.exceptions.Exit(1)


async def _containers(client: Client, item: Json, wanted: str, *, endpoint_picker: bool) -> Sequence[_Container]:
    """Return the containers of the pods.

    Raises:
        click.ClickException: there is no pod, or no container of that name.
    """
    belonging, namespace = Belonging.to(item), str(item["metadata"]["namespace"])
    selector = f"{PICKER_POD_LABEL}={belonging.endpoint_picker}" if endpoint_picker else _model_pods(item, belonging)
    pods = await list_all(client, _POD, {"labelSelector": selector}, namespace)
    found = [each for pod in pods for each in _of_pod(pod) if wanted in {"", each.name}]
    if found:
        return found
    whose = "the endpoint picker" if endpoint_picker else "the model server"
    named = {each.name for pod in pods for each in _of_pod(pod)}
    if named:
        raise click.ClickException(f"{whose} has no container {wanted}, but {', '.join(sorted(named))}")
    raise click.ClickException(f"{whose} has no pod; see why: workspace-ctrl explain {namespace}/{belonging.workspace}")


def _model_pods(item: Json, belonging: Belonging) -> str:
    """Return the label selector of the model server's pods: ours, or that in inference.workloadRef."""
    inference = item.get("inference")
    reference = inference.get("workloadRef") if isinstance(inference, dict) else None
    selector = reference.get("selector") if isinstance(reference, dict) else None
    if isinstance(selector, dict) and selector:
        return ",".join(f"{key}={value}" for key, value in selector.items())
    return f"{belonging.pod_label}={belonging.workspace}"


def _of_pod(pod: Json) -> Iterator[_Container]:
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        yield _Container(str(metadata["namespace"]), str(metadata["name"]), str(container["name"]))


async def _print_log(client: Client, container: _Container, parameters: dict[str, str], *, with_prefix: bool) -> bool:
    """Print the log of a container; return whether there is one. A container that has not started yet is said."""
    prefix = f"[{container.pod}/{container.name}] " if with_prefix else ""
    try:
        async with aclosing(client.stream(container.path, {**parameters, "container": container.name})) as lines:
            async for line in lines:
                click.echo(prefix + printable(line.decode(errors="replace").rstrip("\r"), _LONGEST_LINE))
    except RejectedError as error:
        click.echo(f"{container.pod}/{container.name}: {printable(error.message)}", err=True)
        return False
    return True
