"""Instance types of the providers."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.data_files import Row, load, suggestion
from workspace_ctrl.catalog.gpus import NodeGpus, gpus

DEFAULT_INSTANCE_TYPE = "Standard_NC24ads_A100_v4"
"""KAITO v0.7's default for a Workspace without an instance type."""

INSTANCE_TYPE_FIELD: Final = "resource.instanceType"
"""Path of the field in a Workspace."""
_LISTED: Final = "`workspace-ctrl presets --instance-types`"
_PLACEHOLDER = re.compile(r"[<>]")
"""Placeholder in examples."""


class InstanceType(NodeGpus):
    """A kind of node."""

    provider: str
    """azure, arc, aws or gcp."""


class _InstanceTypeRow(Row):
    name: str
    provider: str
    gpu: str
    gpus: int


class _OtherTypes(Row):
    """A family of instance types that cannot serve a preset."""

    pattern: str
    has: str
    """What its nodes have."""


@cache
def _others() -> Mapping[re.Pattern[str], str]:
    rows = load("instance_types.yaml", "others", _OtherTypes)
    return {re.compile(row.pattern, re.ASCII | re.IGNORECASE): row.has for row in rows}


@cache
def instance_types() -> Mapping[str, InstanceType]:
    """Return all instance types by name."""
    return {row.name: _instance_type(row) for row in load("instance_types.yaml", "instance_types", _InstanceTypeRow)}


def _instance_type(row: _InstanceTypeRow) -> InstanceType:
    gpu = gpus()[row.gpu]
    return InstanceType(gpu_memory_gib=gpu.memory_gib, compute_capability=gpu.compute_capability, **row.model_dump())


def find_instance_type(name: str) -> InstanceType:
    """Return the instance type called `name`.

    Raises:
        SpecError: there is none; the remedy names the closest one, unless it is known that the nodes have no GPUs that are supported.
    """
    known = instance_types()
    if name in known:
        return known[name]
    if _PLACEHOLDER.search(name):
        remedy = "set the instance type of your nodes, or remove it if your nodes have GPU labels (nvidia.com/gpu.product)"
        raise SpecError(INSTANCE_TYPE_FIELD, f"{name!r} is a placeholder", remedy)
    if has := next((has for pattern, has in _others().items() if pattern.fullmatch(name)), ""):
        remedy = f"use a type with NVIDIA GPUs ({_LISTED}), or serve the model with your own image by inference.template"
        raise SpecError(INSTANCE_TYPE_FIELD, f"{name!r} names nodes with {has}, on which presets cannot be served", remedy)
    remedy = suggestion(name, known, f"{_LISTED} lists the known ones")
    raise SpecError(INSTANCE_TYPE_FIELD, f"{name!r} is not known", remedy)
