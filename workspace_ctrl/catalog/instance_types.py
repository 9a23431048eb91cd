"""Instance types and their GPUs."""

from collections.abc import Mapping
from functools import cache

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.loading import Row, load, suggestion

DEFAULT_INSTANCE_TYPE = "Standard_NC24ads_A100_v4"
"""What KAITO v0.7 fills in where a Workspace names none."""


class InstanceType(Row):
    """A kind of node."""

    name: str
    gpus: int
    """Number of GPUs of a node."""
    gpu_memory_gib: float
    """Memory of all its GPUs together, in GiB."""
    gpu: str
    """Name of the GPU, for people."""

    @property
    def node_gpus(self):
        from workspace_ctrl.catalog.gpus import NodeGpus

        return NodeGpus(name=self.gpu, count=self.gpus, memory_gib=self.gpu_memory_gib / self.gpus)


@cache
def instance_types() -> Mapping[str, InstanceType]:
    """Return all instance types by name."""
    return {entry.name: entry for entry in load("instance_types.yaml", "instance_types", InstanceType)}


def find_instance_type(name: str) -> InstanceType:
    """Return the instance type called `name`.

    Raises:
        SpecError: there is none; the remedy names the closest one.
    """
    known = instance_types()
    if name in known:
        return known[name]
    remedy = suggestion(name, known, "name one of the catalog's, with its provider's spelling")
    raise SpecError("resource.instanceType", f"{name!r} is not known", remedy)
