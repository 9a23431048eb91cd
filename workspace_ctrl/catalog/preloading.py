"""Reads all of the catalog at once, before anything waits for it."""

from workspace_ctrl.catalog.charts import chart_layouts
from workspace_ctrl.catalog.gateway_classes import gateway_classes
from workspace_ctrl.catalog.gpus import gpus
from workspace_ctrl.catalog.instance_types import instance_types
from workspace_ctrl.catalog.presets import presets


def preload() -> None:
    """Read every data file, which would otherwise hold up the event loop when the first Workspace asks; they stay in memory."""
    for read in (presets, instance_types, gpus, chart_layouts, gateway_classes):
        read()
