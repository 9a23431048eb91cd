"""A real Kubernetes cluster on this machine, without Docker and without images from anywhere; see README.md."""

from e2e.cluster.errors import (
    ClusterError,
    MissingCapabilityError,
    MissingPackagesError,
    NotPossibleError,
    ProgramDiedError,
)
from e2e.cluster.forms import Form
from e2e.cluster.local import LocalCluster
from e2e.cluster.protocol import Cluster
from e2e.cluster.start import down, up

connect = LocalCluster.attach

__all__ = [
    "Cluster",
    "ClusterError",
    "Form",
    "LocalCluster",
    "MissingCapabilityError",
    "MissingPackagesError",
    "NotPossibleError",
    "ProgramDiedError",
    "connect",
    "down",
    "up",
]
