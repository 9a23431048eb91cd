"""Loads the whole catalog at the start of the process."""

from workspace_ctrl.catalog.charts import chart_layouts
from workspace_ctrl.catalog.gateway_classes import gateway_classes
from workspace_ctrl.catalog.gpus import gpus
from workspace_ctrl.catalog.instance_types import instance_types
from workspace_ctrl.catalog.presets import presets
from workspace_ctrl.catalog.reasons import quoted_reasons


def preload() -> None:
    """Load every data file, so that the first Workspace does not block the event loop; they stay in memory."""
    for read in (presets, instance_types, gpus, chart_layouts, gateway_classes, quoted_reasons):
        read()
