"""Renders planned HelmReleases with Helm: the objects that Flux will install. No cluster is contacted."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pyhelm3.errors import Error as HelmError

from workspace_ctrl.helm.chart_rendering import ChartUnreadableError, Helm, fetched, words
from workspace_ctrl.model.chart_verdicts import ChartId
from workspace_ctrl.planning.manifests import Manifest, ref_of
from workspace_ctrl.records.meta import ObjectRef

_SOURCE: Final = "OCIRepository"
_RELEASE: Final = "HelmRelease"


class NotRenderedError(Exception):
    """A chart cannot be fetched or rendered; the message says which one, and why."""


async def rendered_releases(program: str, manifests: Sequence[Manifest]) -> dict[ObjectRef, tuple[Manifest, ...]]:
    """Return the objects of each HelmRelease among `manifests`, by its reference; each chart is fetched once.

    They have the labels that Flux adds; `missing_parts` says what they lack.

    Args:
        program: Path of Helm.
        manifests: Planned objects; the OCIRepositories of the releases are among them.

    Raises:
        NotRenderedError: a chart cannot be fetched or rendered.
    """
    charts = {ref_of(each): _chart(each) for each in manifests if each["kind"] == _SOURCE}
    releases = [(each, charts[_source_of(each)]) for each in manifests if each["kind"] == _RELEASE]
    with tempfile.TemporaryDirectory(prefix="workspace-ctrl-") as name:
        helm = Helm(program, Path(name))
        folders: dict[ChartId, Path] = {}
        found: dict[ObjectRef, tuple[Manifest, ...]] = {}
        for release, chart in releases:
            try:
                if chart not in folders:
                    folders[chart] = await fetched(helm, chart, Path(name) / f"chart-{len(folders)}")
                found[ref_of(release)] = await _objects(helm, folders[chart], release)
            except (HelmError, ChartUnreadableError) as error:
                raise NotRenderedError(f"chart {chart} of {ref_of(release)} cannot be rendered: {words(error)}") from None
    return found


def missing_parts(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield for each HelmRelease among `manifests` what Flux adds to its objects, and Helm alone does not."""
    for release in (each for each in manifests if each["kind"] == _RELEASE):
        if release["spec"].get("postRenderers"):
            yield f"{ref_of(release)}: its postRenderers are not applied to the objects that are shown"
        if release["spec"].get("valuesFrom"):
            yield f"{ref_of(release)}: its valuesFrom are not read"


def _chart(source: Manifest) -> ChartId:
    spec = source["spec"]
    reference = spec["ref"]
    return ChartId(spec["url"], reference.get("tag", ""), reference.get("digest", ""), insecure=bool(spec.get("insecure")))


def _source_of(release: Manifest) -> ObjectRef:
    return ObjectRef(_SOURCE, release["metadata"]["namespace"], release["spec"]["chartRef"]["name"])


async def _objects(helm: Helm, folder: Path, release: Manifest) -> tuple[Manifest, ...]:
    spec, namespace = release["spec"], release["metadata"]["namespace"]
    objects = await helm.template(spec["releaseName"], str(folder), spec["values"], namespace=namespace)
    labels = spec.get("commonMetadata", {}).get("labels", {})
    return tuple(_labelled(each, labels) for each in objects)


def _labelled(manifest: Manifest, labels: Mapping[str, Any]) -> Manifest:
    """Return an object of a chart, which may have any shape, with the labels."""
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        return manifest
    own = metadata.get("labels")
    return {**manifest, "metadata": {**metadata, "labels": {**(own if isinstance(own, Mapping) else {}), **labels}}}
