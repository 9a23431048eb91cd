"""The chart of the cluster's registry, packed anew: under another name or version, or with something wrong in it."""

import shutil
from pathlib import Path

import yaml

from e2e.cluster import Cluster
from e2e.cluster.builder import output_of
from e2e.cluster.catalog import FLUX

_CHART = "inferencepool"


def helm() -> str:
    """Return the path of the helm program."""
    return str(output_of(FLUX).binary("helm"))


def repack(
    cluster: Cluster, folder: Path, *, name: str = _CHART, version: str = "v1.5.0", content: str = "v1.5.0", template: str = ""
) -> str:
    """Push the chart in the version `content` as chart `name` in `version`, with one more `template`; return its URL.

    Raises:
        AssertionError: Helm refuses.
    """
    scratch = folder / f"{name}-{version}"
    shutil.rmtree(scratch, ignore_errors=True)
    chart, registry = scratch / _CHART, cluster.chart_source_url().rpartition("/")[0]

    def run(*arguments: str) -> None:
        result = cluster.run([helm(), *arguments])
        assert result.returncode == 0, result.stderr  # noqa: S101 - a test prepares

    run("pull", cluster.chart_source_url(), "--version", content, "--plain-http", "--untar", "--untardir", str(scratch))
    about = chart / "Chart.yaml"
    about.write_text(yaml.safe_dump(yaml.safe_load(about.read_text()) | {"name": name}))
    if template:
        (chart / "templates" / "added.yaml").write_text(template)
    run("package", str(chart), "--version", version, "--destination", str(scratch))
    run("push", str(scratch / f"{name}-{version}.tgz"), registry, "--plain-http")
    return cluster.chart_source_url(name)
