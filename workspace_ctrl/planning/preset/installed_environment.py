"""Environment variables and certificates that the installation gives the model servers of presets: how they reach a hub of models.

They are those of proxies, mirrors and libraries. Variables that the controller sets itself, or that change what it relies on, are not among
them: which API the model server has, who may use it, and which GPUs it has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from workspace_ctrl.api.labels import FIELD_MANAGER

_OURS: Final = f"is set by {FIELD_MANAGER}"
_SECRET: Final = "would be readable in every Deployment; use presetOptions.modelAccessSecret of the Workspaces"  # noqa: S105 - no secret
_API: Final = "would let everyone who reaches the model change it, or the process"
_GPUS: Final = "is set by the device plugin, for the GPUs that were requested"
RESERVED: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("POD_NAME", "POD_INDEX", "LEADER", "VLLM_HOST_IP", "HF_HOME"), _OURS),
        **dict.fromkeys(("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"), _SECRET),
        "VLLM_API_KEY": "would be readable in every Deployment, and the requests of endpoint pickers and probes do not have it; "
        "let the Gateway authenticate clients",
        **dict.fromkeys(("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "VLLM_SERVER_DEV_MODE", "VLLM_TORCH_PROFILER_DIR"), _API),
        **dict.fromkeys(("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"), _GPUS),
    }
)
"""Names that the installation cannot set, and why."""
OF_CERTIFICATES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""The variables by which OpenSSL and httpx, and the library requests, find the certificates of authorities."""
_PROXIES: Final = ("http_proxy", "all_proxy")
"""In either case: by these, requests to other pods and to the own one would go to a proxy, as they are plain HTTP."""
_DIRECT: Final = ("localhost", ".svc")
"""What pods of model servers send requests to: themselves, and the first one of several."""
_NAME: Final = "certificates"
_FOLDER: Final = "/etc/workspace-ctrl/certificates"


@dataclass(frozen=True, slots=True)
class CertificateBundle:
    """The certificates (PEM) of the authorities that model servers trust, in a ConfigMap of each namespace with Workspaces."""

    config_map: str
    key: str


def environment_problem(variables: Sequence[tuple[str, str]], *, has_bundle: bool) -> str:
    """Return why these names and values cannot be set, to follow their path; empty if they can.

    `has_bundle` says whether the variables of the certificates are set as well.
    """
    names = [name for name, _ in variables]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return f"sets {twice} twice; remove one of them"
    reserved = {**RESERVED, **dict.fromkeys(OF_CERTIFICATES if has_bundle else (), "is set by modelServer.caBundle")}
    refused = next((name for name in names if name in reserved), None)
    if refused is not None:
        return f"must not contain {refused}, which {reserved[refused]}"
    return _proxy_problem(dict(variables))


def _proxy_problem(variables: Mapping[str, str]) -> str:
    """Return why model servers would not reach each other; curl, by which they do, reads both cases, the lower one first."""
    proxy = next((name for name in variables if name.lower() in _PROXIES), None)
    direct = variables.get("no_proxy", variables.get("NO_PROXY", "")).replace(" ", "").split(",")
    if proxy is None or "*" in direct or all(host in direct for host in _DIRECT):
        return ""
    return f"has {proxy}, but no NO_PROXY with {','.join(_DIRECT)}, so the pods would reach themselves and each other by it; add it"


def variables_of(bundle: CertificateBundle | None) -> Iterator[dict[str, Any]]:
    """Yield the variables that name the file with the certificates, if there is one."""
    if bundle is not None:
        for name in OF_CERTIFICATES:
            yield {"name": name, "value": f"{_FOLDER}/{bundle.key}"}


def volumes_of(bundle: CertificateBundle | None) -> list[dict[str, Any]]:
    """Return the volume with the certificates, if there are any."""
    return [{"name": _NAME, "configMap": {"name": bundle.config_map}}] if bundle is not None else []


def mounts_of(bundle: CertificateBundle | None) -> list[dict[str, Any]]:
    """Return the mount of the certificates, if there are any."""
    return [{"name": _NAME, "mountPath": _FOLDER, "readOnly": True}] if bundle is not None else []
