"""The add-ons by name. A new one is a module here and an entry in `ADDONS`."""

from collections.abc import Iterable

from e2e.cluster.addons import (
    coredns,
    envoy_gateway,
    flux,
    gateway_api,
    gpus,
    image_only,
    istio,
    keda,
    kthena,
    prometheus,
    registry,
    simulated_node,
    workspace_ctrl,
)
from e2e.cluster.addons.base import Addon
from e2e.cluster.errors import ClusterError
from e2e.cluster.forms import Form

ADDONS: dict[str, Addon] = {
    addon.name: addon
    for addon in (
        flux.ADDON,
        registry.ADDON,
        gateway_api.ADDON,
        coredns.ADDON,
        istio.ADDON,
        gpus.ADDON,
        simulated_node.ADDON,
        image_only.ENDPOINT_PICKER,
        image_only.ENDPOINT_PICKERS_OF_OLD,
        image_only.LLM_D_ENDPOINT_PICKERS,
        image_only.BODY_ROUTER,
        image_only.VLLM,
        image_only.FLUX_CONTROLLERS,
        image_only.LLAMA_CPP,
        image_only.LLAMA_CPP_STANDIN,
        image_only.ISTIO_IMAGES,
        workspace_ctrl.IMAGE,
        workspace_ctrl.ADDON,
        envoy_gateway.ADDON,
        kthena.ADDON,
        keda.ADDON,
        prometheus.ADDON,
    )
}
ALL = "all"


def choose(names: Iterable[str], form: Form) -> list[Addon]:
    """Return the named add-ons and those that they need, each after its needs; `all` stands for every one but the optional."""
    chosen: dict[str, Addon] = {}

    def add(name: str) -> None:
        addon = ADDONS.get(name)
        if addon is None:
            raise ClusterError(f"there is no add-on {name}; there are: {', '.join([*ADDONS, ALL])}")
        if form not in addon.forms:
            raise ClusterError(f"the add-on {name} does not work in the form {form}")
        for need in addon.needs:
            add(need)
        chosen[name] = addon

    for name in names:
        if name == ALL:
            for addon in ADDONS.values():
                if form in addon.forms and not addon.optional:
                    add(addon.name)
        else:
            add(name)
    return list(chosen.values())
