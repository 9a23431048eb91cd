"""TEMPORARY."""

from collections.abc import Mapping

from workspace_ctrl.catalog.loading import Row


class NodeGpus(Row):
    name: str
    count: int
    memory_gib: float

    @property
    def gpu(self) -> str:
        return self.name


def gpus_from_labels(labels: Mapping[str, str]) -> NodeGpus | None:
    if "nvidia.com/gpu.memory" not in labels:
        return None
    return NodeGpus(
        name=labels["nvidia.com/gpu.product"],
        count=int(labels["nvidia.com/gpu.count"]),
        memory_gib=int(labels["nvidia.com/gpu.memory"]) / 1024,
    )
