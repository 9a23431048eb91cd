"""`python -m e2e.agreement`: raise a cluster, try the faults on a class of Gateways, print the table, remove the cluster."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from e2e import workspaces
from e2e.agreement import report
from e2e.agreement.faults import Fault, faults_of
from e2e.agreement.observation import NotSteadyError
from e2e.agreement.outcome import Outcome
from e2e.agreement.run import try_fault
from e2e.agreement.scene import ADDONS, CLASSES, GatewayClass, Scene, scene
from e2e.cluster import Cluster, ClusterError, Form, down, up
from e2e.cluster.running import is_running
from e2e.waiting import KUBECTL_TIMEOUT

_NAME = "agreement"
_NAMESPACE = "agreement"
_DOCUMENT = Path("docs/reliability.md")
_WIDTH = 150


@click.command()
@click.option("--class", "class_name", type=click.Choice(list(CLASSES)), default="istio", show_default=True, help="Whose Gateway.")
@click.option("--fault", "words", multiple=True, help="Only faults with these words in their name; may be given again.")
@click.option("--cluster", "name", default=_NAME, show_default=True, help="Which cluster; one that runs is used and left up.")
@click.option("--write", is_flag=True, help=f"Put the table into {_DOCUMENT}.")
def main(*, class_name: str, words: tuple[str, ...], name: str, write: bool) -> None:
    """Compare GatewayReady with real requests while faults come and go; fails where it said otherwise for too long."""
    gateway_class = CLASSES[class_name]
    chosen = [fault for fault in faults_of(gateway_class) if not words or any(word in fault.name for word in words)]
    outcomes: list[Outcome] = []
    if write:
        try:
            report.find_place(_DOCUMENT.read_text(), class_name)  # before minutes are spent
        except report.NoPlaceError as error:
            sys.exit(f"{_DOCUMENT}: {error}")
    try:
        with _cluster(name, gateway_class) as cluster, _namespace(cluster), scene(cluster, _NAMESPACE, gateway_class) as prepared:
            outcomes.extend(_tried(prepared, fault) for fault in chosen)
    except (ClusterError, NotSteadyError) as error:
        sys.exit(f"the comparison failed: {error}")
    Console(width=_WIDTH).print(report.table(f"GatewayReady and real requests, class {class_name}", outcomes))
    if write:
        text = f"Measured on {datetime.now(UTC):%Y-%m-%d}.\n\n{report.markdown(outcomes)}"
        report.write(_DOCUMENT, class_name, text)
    sys.exit("\n".join(line for outcome in outcomes for line in outcome.violations()) or 0)


def _tried(prepared: Scene, fault: Fault) -> Outcome:
    print(f"{fault.name} ...", flush=True)
    outcome = try_fault(prepared, fault)
    print(f"  {', '.join(report.row(outcome)[2:])}\n  {outcome.story}", flush=True)
    return outcome


@contextmanager
def _cluster(name: str, gateway_class: GatewayClass) -> Iterator[Cluster]:
    """Raise a cluster, and remove it whatever happens; use one that runs, and leave it up."""
    found = is_running(name)
    try:
        cluster = up(name, Form.FULL, [*ADDONS, gateway_class.addon])
        workspaces.install_crd(cluster)
        yield cluster
    finally:
        if not found:
            down(name)


@contextmanager
def _namespace(cluster: Cluster) -> Iterator[None]:
    cluster.kubectl("create", "namespace", _NAMESPACE)
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", "--namespace", _NAMESPACE, KUBECTL_TIMEOUT)
    yield
    cluster.kubectl("delete", "namespace", _NAMESPACE, KUBECTL_TIMEOUT)


if __name__ == "__main__":
    main()
