"""What one cluster was started with."""

import json
import random
import socket
from dataclasses import asdict, dataclass

from e2e.cluster.errors import ClusterError
from e2e.cluster.forms import Form
from e2e.cluster.isolation import NODE_IP
from e2e.cluster.places import ClusterPlaces
from e2e.cluster.program import write_json

INSIDE_PORTS = {
    "api": 6443,
    "etcd": 2379,
    "etcd-peer": 2380,
    "registry": 5000,
    "artifacts": 9790,
    "istio-http": 8080,
    "istio-grpc": 15010,
    "istio-monitoring": 15014,
}
"""In the full form every cluster has a loopback interface of its own, so the ports are always the same."""

BELOW_EPHEMERAL = range(20000, 30000)
"""Where outgoing connections are not given their ports, so a port found free stays free until its program starts."""

NODE_NAMES = {Form.FULL: "node-1", Form.PLANE: "simulated-1"}


@dataclass(frozen=True)
class Settings:
    """A cluster's name, form and ports."""

    name: str
    form: Form
    ports: dict[str, int]

    @classmethod
    def choose(cls, name: str, form: Form) -> "Settings":
        """Return settings for a new cluster."""
        return cls(name, form, dict(INSIDE_PORTS) if form is Form.FULL else _free_ports())

    @classmethod
    def load(cls, places: ClusterPlaces) -> "Settings":
        """Read the settings of an existing cluster."""
        if not places.settings.exists():
            raise ClusterError(f"there is no cluster named {places.name}; start it with: up --name {places.name}")
        value = json.loads(places.settings.read_text())
        return cls(value["name"], Form(value["form"]), value["ports"])

    def save(self, places: ClusterPlaces) -> None:
        """Write the settings for later commands."""
        write_json(places.settings, asdict(self))

    @property
    def api_url(self) -> str:
        """Where processes inside reach the API server (in the plane form, inside is the host)."""
        return f"https://127.0.0.1:{self.ports['api']}"

    @property
    def registry(self) -> str:
        """Where source-controller reaches the chart registry."""
        return f"127.0.0.1:{self.ports['registry']}"

    @property
    def registry_for_pods(self) -> str:
        """Where pods reach the chart registry, in the full form."""
        return f"{NODE_IP}:{self.ports['registry']}"

    @property
    def node_name(self) -> str:
        """The only node."""
        return NODE_NAMES[self.form]


def _free_ports() -> dict[str, int]:
    free: dict[str, int] = {}
    # Not the generator that tests seed: two clusters that start at once would choose the same ports.
    candidates = random.SystemRandom().sample(BELOW_EPHEMERAL, len(BELOW_EPHEMERAL))
    for name in INSIDE_PORTS:
        free[name] = next(port for port in candidates if port not in free.values() and _is_free(port))
    return free


def free_port() -> int:
    """Return a port that nobody uses now."""
    return _free_ports()["api"]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
