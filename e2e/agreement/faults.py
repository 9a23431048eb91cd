"""The faults, one row each: what is broken and mended, and by what the controller could know."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from e2e import workspaces
from e2e.agreement.scene import CERTIFICATE, GATEWAY, PLAIN, PROBE_SECONDS, SECURE, GatewayClass, Scene, gateway

FALSE_WHILE_WORKING_SECONDS = 5.0
_OBJECT_SECONDS = 2.0
_KUBELET_SECONDS = 10.0


class Witness(Enum):
    """What shows a fault first."""

    OBJECT = "an object of the API"
    KUBELET = "the kubelet"
    REQUEST = "a request only"

    @property
    def seconds(self) -> float:
        """How long GatewayReady may stay True while requests fail."""
        if self is Witness.REQUEST:
            return PROBE_SECONDS + 2
        return _OBJECT_SECONDS if self is Witness.OBJECT else _KUBELET_SECONDS


@dataclass(frozen=True)
class Fault:
    """A row of the table."""

    name: str
    act: Callable[[Scene], AbstractContextManager[None]]
    """Breaks on entering and mends on leaving."""
    witness: Witness
    workspace: str = PLAIN
    is_picker: bool = False
    """Whether the endpoint picker fails; a Gateway that honours FailOpen then goes on, while GatewayReady is False on purpose."""
    is_outlived: bool = False
    """Whether the proxy may live on what it had, for as long as it likes; GatewayReady is then False because an object is broken."""
    on_gateway: bool = False
    """Whether it needs a Gateway of our own, with an HTTPS listener."""
    is_short: bool = False
    """Whether it is among those of the short run."""


@contextmanager
def picker_scaled_to_zero(scene: Scene) -> Iterator[None]:
    """Nobody picks endpoints."""
    scene.kubectl("scale", f"deployment/{scene.picker(PLAIN)}", "--replicas=0")
    yield
    scene.kubectl("scale", f"deployment/{scene.picker(PLAIN)}", "--replicas=1")


@contextmanager
def picker_killed(scene: Scene) -> Iterator[None]:
    """The picker's process dies; the kubelet starts it again."""
    scene.signal(signal.SIGKILL, _picker_containers(scene))
    yield


@contextmanager
def picker_hangs(scene: Scene) -> Iterator[None]:
    """The picker's process stands still."""
    containers = _picker_containers(scene)
    scene.signal(signal.SIGSTOP, containers)
    yield
    if alive := [entry for entry in _picker_containers(scene) if entry in containers]:
        scene.signal(signal.SIGCONT, alive)


@contextmanager
def picker_service_deleted(scene: Scene) -> Iterator[None]:
    """The name by which the proxy finds the picker is gone."""
    scene.kubectl("delete", "service", scene.picker(PLAIN))
    yield
    _reconcile(scene)


@contextmanager
def pool_deleted(scene: Scene) -> Iterator[None]:
    """The InferencePool is gone until Flux has made it again."""
    scene.kubectl("delete", "inferencepool", f"{PLAIN}-inferencepool", "--wait=false")
    yield
    _reconcile(scene)


@contextmanager
def model_pods_deleted(scene: Scene) -> Iterator[None]:
    """All model pods go; the Deployment makes new ones."""
    scene.kubectl("delete", "pod", "-l", scene.model_pods(PLAIN), "--wait=false")
    yield


@contextmanager
def model_pods_refuse(scene: Scene) -> Iterator[None]:
    """Nobody listens in the model pods any more, health checks included."""
    addresses = ", ".join(scene.addresses(scene.model_pods(PLAIN)))
    rule = f"ip daddr {{ {addresses} }} tcp dport 1-65535 reject with tcp reset"
    hooks = "\n".join(f"chain {hook} {{ type filter hook {hook} priority 0; {rule}; }}" for hook in ("output", "forward"))
    scene.nft(f"table ip agreement {{\n{hooks}\n}}\n")
    yield
    scene.nft("delete table ip agreement\n")


@contextmanager
def model_pods_hang(scene: Scene) -> Iterator[None]:
    """The model servers' processes stand still."""
    containers = scene.containers(scene.model_pods(PLAIN))
    scene.signal(signal.SIGSTOP, containers)
    yield
    if alive := [entry for entry in scene.containers(scene.model_pods(PLAIN)) if entry in containers]:
        scene.signal(signal.SIGCONT, alive)


@contextmanager
def route_deleted(scene: Scene) -> Iterator[None]:
    """The HTTPRoute is gone."""
    scene.kubectl("delete", "httproute", PLAIN, "--wait=false")
    yield


@contextmanager
def route_edited(scene: Scene) -> Iterator[None]:
    """Somebody gives the HTTPRoute another path."""
    path = "/spec/rules/0/matches/0/path/value"
    scene.kubectl("patch", "httproute", PLAIN, "--type=json", f'-p=[{{"op":"replace","path":"{path}","value":"/elsewhere"}}]')
    yield


@contextmanager
def gateway_deleted(scene: Scene) -> Iterator[None]:
    """The Gateway is gone, and comes back under its name."""
    scene.kubectl("delete", "gateway", GATEWAY)
    yield
    scene.apply(gateway(scene.gateway_class.name))


@contextmanager
def listener_moved(scene: Scene) -> Iterator[None]:
    """The Gateway listens on another port; the status has to name it, and clients follow the status."""
    scene.apply(gateway(scene.gateway_class.name, port=8080))
    yield
    scene.apply(gateway(scene.gateway_class.name))


@contextmanager
def class_controller_stopped(scene: Scene) -> Iterator[None]:
    """Nobody serves the class; its proxies go on with what they have."""
    scene.stop_controllers()
    yield
    scene.start_controllers()


@contextmanager
def certificate_removed(scene: Scene) -> Iterator[None]:
    """The HTTPS listener's certificate is gone."""
    saved = workspaces.get(scene.cluster, scene.namespace, "secret", CERTIFICATE)
    scene.kubectl("delete", "secret", CERTIFICATE)
    yield
    del saved["metadata"]["resourceVersion"], saved["metadata"]["uid"]
    scene.apply(saved)


@contextmanager
def flux_suspended_and_picker_deleted(scene: Scene) -> Iterator[None]:
    """Flux may not repair what somebody deletes."""
    release = f"helmrelease/{PLAIN}-inferencepool"
    scene.kubectl("patch", release, "--type=merge", '-p={"spec":{"suspend":true}}')
    scene.kubectl("delete", "deployment", scene.picker(PLAIN), "--wait=false")
    yield
    scene.kubectl("patch", release, "--type=merge", '-p={"spec":{"suspend":false}}')
    _reconcile(scene)


@contextmanager
def proxy_killed(scene: Scene) -> Iterator[None]:
    """The Gateway's proxy dies; the kubelet starts it again."""
    scene.signal(signal.SIGKILL, scene.proxy_containers())
    yield


def _picker_containers(scene: Scene) -> list[str]:
    return scene.containers(f"inferencepool={scene.picker(PLAIN)}")


def _reconcile(scene: Scene) -> None:
    """Ask Flux to look now, as a user does who does not want to wait for its interval."""
    now = datetime.now(UTC).isoformat()
    scene.kubectl("annotate", "--overwrite", f"helmrelease/{PLAIN}-inferencepool", f"reconcile.fluxcd.io/requestedAt={now}")


FAULTS = (
    Fault("endpoint picker scaled to 0", picker_scaled_to_zero, Witness.OBJECT, is_picker=True, is_short=True),
    Fault("endpoint picker killed", picker_killed, Witness.KUBELET, is_picker=True),
    Fault("endpoint picker hangs", picker_hangs, Witness.KUBELET, is_picker=True),
    Fault("endpoint picker's Service deleted", picker_service_deleted, Witness.OBJECT, is_picker=True),
    Fault("InferencePool deleted", pool_deleted, Witness.OBJECT, is_short=True),
    Fault("all model pods deleted", model_pods_deleted, Witness.OBJECT, is_short=True),
    Fault("model pods refuse connections", model_pods_refuse, Witness.KUBELET),
    Fault("model pods hang", model_pods_hang, Witness.REQUEST),
    Fault("HTTPRoute deleted", route_deleted, Witness.OBJECT, is_short=True),
    Fault("HTTPRoute edited", route_edited, Witness.OBJECT),
    Fault("Gateway's proxy killed", proxy_killed, Witness.KUBELET),
    Fault("Gateway deleted", gateway_deleted, Witness.OBJECT, on_gateway=True, is_short=True),
    Fault("Gateway's port changed", listener_moved, Witness.OBJECT, on_gateway=True),
    Fault("the class's controller stopped", class_controller_stopped, Witness.OBJECT, on_gateway=True),
    Fault("HTTPS certificate removed", certificate_removed, Witness.OBJECT, workspace=SECURE, is_outlived=True, on_gateway=True),
    Fault("HelmRelease suspended, endpoint picker deleted", flux_suspended_and_picker_deleted, Witness.OBJECT, is_picker=True),
)


def faults_of(gateway_class: GatewayClass) -> tuple[Fault, ...]:
    """Return the faults that can be tried behind a class of Gateways."""
    return tuple(fault for fault in FAULTS if gateway_class.own_gateway is None or not fault.on_gateway)
