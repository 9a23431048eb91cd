"""`inference`: the model to serve, from a preset, from a pod template, or by pods that are deployed separately."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from workspace_ctrl.api.api_model import (
    GROUP_VERSION_PATTERN,
    KIND_PATTERN,
    NAME_PATTERN,
    PRESERVE,
    QUANTITY_PATTERN,
    ApiModel,
    rules,
)
from workspace_ctrl.api.labels import LABEL_KEY_PATTERN, LABEL_VALUE_PATTERN

_BYTES = {"Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "M": 10**6, "G": 10**9, "T": 10**12}
_GIB = 2**30

_NAME_LIMIT = 253
"""Longest name of an object (DNS subdomain, RFC 1123)."""
_SECRETS_LIMIT = 16


class ModelSize(ApiModel):
    """Figures for the sizing of a model that is not in the catalog; they are in the model's `config.json`."""

    weights: str = Field(
        max_length=32,
        pattern=QUANTITY_PATTERN,
        description="Size of the weights, such as 15Gi: the sum of the model's safetensors files.",
    )
    kv_bytes_per_token: int | None = Field(
        default=None,
        ge=1,
        le=10**9,
        description="Bytes of KV cache for one token. Default: computed from layers, kvHeads and headDim.",
    )
    context_limit: int | None = Field(
        default=None,
        ge=1,
        le=10**9,
        description="Maximum context length of the model, in tokens (max_position_embeddings).",
    )
    layers: int | None = Field(default=None, ge=1, le=10_000, description="Number of layers (num_hidden_layers).")
    attention_heads: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Number of attention heads (num_attention_heads); must be divisible by the number of GPUs used on a node.",
    )
    kv_heads: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Number of key-value heads (num_key_value_heads); 1 for latent attention.",
    )
    head_dim: int | None = Field(default=None, ge=1, le=10_000, description="Size of an attention head (head_dim).")

    @property
    def weights_gib(self) -> float:
        """Size of the weights in GiB."""
        return gib(self.weights)


def gib(quantity: str) -> float:
    """Return a quantity that matches QUANTITY_PATTERN in GiB."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]+)", quantity).groups()  # type: ignore[union-attr]
    return float(number) * _BYTES[unit] / _GIB


class PresetOptions(ApiModel):
    """Options for downloading a preset."""

    image: str | None = Field(
        default=None,
        description="Deprecated by KAITO, and ignored: the controller's settings define the image of the model server.",
    )
    image_pull_secrets: list[str] | None = Field(
        default=None, max_length=_SECRETS_LIMIT, description="Secrets for pulling the image of the model server."
    )
    model_access_secret: str | None = Field(
        default=None,
        max_length=_NAME_LIMIT,
        description="Secret with key HF_TOKEN, required for gated models of Hugging Face.",
    )


class Preset(ApiModel):
    """A model of the catalog, or any other model of Hugging Face."""

    name: str = Field(
        max_length=256,
        description="Name in the catalog, such as phi-4-mini-instruct (`workspace-ctrl presets` lists them), or the Hugging Face id of "
        "a model, such as org/model; one that is not in the catalog is sized by its files at the model hub, or by `size`.",
    )
    access_mode: Literal["public", "private"] | None = Field(default=None, description="Deprecated by KAITO, and ignored.")
    preset_options: PresetOptions | None = Field(default=None, description="Options for downloading the preset.")
    size: ModelSize | None = Field(
        default=None,
        description="Figures for the sizing of a model that is not in the catalog. Default: those of its files at the model hub. "
        "Without effect on models of the catalog.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(("self.name == oldSelf.name", "inference.preset.name cannot be changed; create a new Workspace"))
    )


class AdapterSource(ApiModel):
    """Where an adapter's weights come from: exactly one of image and volumeSource."""

    name: str = Field(
        min_length=1,
        max_length=_NAME_LIMIT,
        pattern=NAME_PATTERN,
        description="Name of the adapter, unique in the Workspace; requests use it as the model name.",
    )
    image: str | None = Field(
        default=None,
        max_length=1024,
        description="OCI image with the adapter in its folder /data (mounted; needs Kubernetes 1.35).",
    )
    image_pull_secrets: list[str] | None = Field(
        default=None, max_length=_SECRETS_LIMIT, description="Secrets for pulling the image."
    )
    urls: list[str] | None = Field(default=None, max_length=64, description="Not supported; use an image or a volume.")
    volume_source: dict[str, Any] | None = Field(
        default=None, description="Volume with the adapter, as in a pod's `volumes`, without name.", json_schema_extra=PRESERVE
    )
    volume: dict[str, Any] | None = Field(
        default=None, description="The same as volumeSource, as KAITO's documents write it.", json_schema_extra=PRESERVE
    )

    @property
    def mounted(self) -> dict[str, Any] | None:
        """The volume with the adapter, under either name."""
        return self.volume if self.volume_source is None else self.volume_source


class Adapter(ApiModel):
    """A LoRA adapter."""

    source: AdapterSource = Field(description="Where the adapter's weights come from.")
    strength: str | None = Field(default=None, max_length=32, description="Only 1.0, with which vLLM applies every adapter.")


class WeightsVolume(ApiModel):
    """A volume for the downloaded weights, so that a new pod does not download them again."""

    claim_name: str | None = Field(
        default=None, max_length=_NAME_LIMIT, description="An existing PersistentVolumeClaim; several Workspaces may share it."
    )
    storage_class_name: str | None = Field(
        default=None,
        max_length=_NAME_LIMIT,
        description="StorageClass of a new PersistentVolumeClaim, without claimName. Default: the cluster's default.",
    )
    size: str | None = Field(
        default=None,
        max_length=32,
        pattern=QUANTITY_PATTERN,
        description="Size of a new PersistentVolumeClaim, without claimName. Default: the size of the weights plus a fifth.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.claimName) || !(has(self.storageClassName) || has(self.size))",
                "inference.weightsVolume allows either claimName, or storageClassName and size; remove the other",
            ),
        )
    )


NO_WORKLOADS_PATTERN: Final = r"^v[0-9]|^([-a-z0-9.]*[.])?k8s[.]io/"
"""API versions of Kubernetes itself and its sub-projects without kinds that have pods, such as Secrets, Nodes and RBAC."""
WORKLOAD_REF_RULE: Final = "has no workloads; reference an object that has pods, or set selector and targetPort without a kind"


class WorkloadRef(ApiModel):
    """Existing pods; only their gateway side is managed here."""

    api_version: str = Field(
        default="apps/v1",
        max_length=253,
        pattern=GROUP_VERSION_PATTERN,  # becomes part of a request path of the API server
        description="API version of the object, such as leaderworkerset.x-k8s.io/v1.",
    )
    kind: str | None = Field(
        default=None,
        max_length=63,
        pattern=KIND_PATTERN,
        description="Kind of the object: Deployment, StatefulSet, or any kind with a pod template or a scale subresource.",
    )
    name: str | None = Field(
        default=None,
        max_length=_NAME_LIMIT,
        pattern=NAME_PATTERN,
        description="Name of the object, in the Workspace's namespace.",
    )
    selector: dict[str, Annotated[str, Field(max_length=63)]] | None = Field(
        default=None,
        max_length=16,
        description="Labels of the pods. Default: the object's own selector. May be used without kind and name.",
    )
    target_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Container port of the model server. Default: the port named http, else the likeliest one, with a warning.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.kind) == has(self.name)",
                "inference.workloadRef needs kind and name together; add the one that is missing",
            ),
            (
                (
                    f"!has(self.kind) || !self.apiVersion.matches('{NO_WORKLOADS_PATTERN}') || "
                    "(self.apiVersion == 'v1' && self.kind == 'ReplicationController')"
                ),
                f"inference.workloadRef.apiVersion {WORKLOAD_REF_RULE}",
            ),
            (
                "has(self.kind) || (has(self.selector) && size(self.selector) > 0 && has(self.targetPort))",
                "inference.workloadRef selects no pods; set kind and name of an object, or selector and targetPort",
            ),
            (
                (
                    "!has(self.selector) || self.selector.all(key, "
                    f"key.matches('^{LABEL_KEY_PATTERN}$') && self.selector[key].matches('^{LABEL_VALUE_PATTERN}$'))"
                ),
                "inference.workloadRef.selector contains an invalid label; set labels of the pods",
            ),
        )
    )


class Inference(ApiModel):
    """The model to serve: exactly one of preset, template and workloadRef."""

    preset: Preset | None = Field(default=None, description="A model of the catalog, or any other model of Hugging Face.")
    template: dict[str, Any] | None = Field(
        default=None,
        description="Pod template of your own model server; node affinity, tolerations and a label are added to it.",
        json_schema_extra=PRESERVE,
    )
    workload_ref: WorkloadRef | None = Field(
        default=None, description="Existing pods, such as those of a llama.cpp Deployment; they are never modified."
    )
    config: str | None = Field(
        default=None,
        max_length=_NAME_LIMIT,
        description="ConfigMap with key inference_config.yaml; its `vllm` entries become flags of a preset's model server.",
    )
    adapters: list[Adapter] | None = Field(
        default=None,
        max_length=10,
        description="LoRA adapters, at most 10, with unique names. vLLM accepts ranks up to 16; for higher ones, "
        "set max-lora-rank in the ConfigMap of config.",
    )
    weights_volume: WeightsVolume | None = Field(
        default=None, description="Volume for the weights of a preset. Default: each new pod downloads them."
    )
    resources: dict[str, Any] | None = Field(
        default=None,
        description="Requests and limits of a preset's container, without GPUs. Default: requests of CPU, memory and ephemeral storage "
        "from the size of the weights, and no limits.",
        json_schema_extra=PRESERVE,
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "[has(self.preset), has(self.template), has(self.workloadRef)].filter(given, given).size() == 1",
                "inference needs exactly one of preset, template and workloadRef; set one, and remove the others",
            ),
            (
                "has(self.preset) || !has(self.weightsVolume)",
                "inference.weightsVolume needs a preset; remove it, or mount a volume in the template",
            ),
            (
                "has(self.preset) || !has(self.resources)",
                "inference.resources needs a preset; remove it, or set the resources of the containers in the template",
            ),
            (
                "!has(self.adapters) || self.adapters.all(one, self.adapters.exists_one(other, other.source.name == one.source.name))",
                "inference.adapters need unique names; rename the duplicates",
            ),
            (
                "has(self.preset) == has(oldSelf.preset) && has(self.template) == has(oldSelf.template)",
                "inference cannot change between preset, template and workloadRef; create a new Workspace",
            ),
        )
    )

    @property
    def sources(self) -> list[str]:
        """Which of preset, template and workloadRef are set; a valid spec has exactly one."""
        given = {"preset": self.preset, "template": self.template, "workloadRef": self.workload_ref}
        return [name for name, value in given.items() if value is not None]
