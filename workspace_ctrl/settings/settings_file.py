"""The settings file of an installation (docs/settings.md), the argument of `--config`.

A new section is a class here and a field of `SettingsFile`. Unknown keys are rejected, because they are probably misspelt.
"""

from abc import abstractmethod
from dataclasses import replace
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from workspace_ctrl.api.errors import field_path, value_problem
from workspace_ctrl.api.yaml.documents import YamlError, parse_documents
from workspace_ctrl.catalog.charts import UnknownChartError, find_layout
from workspace_ctrl.planning.gateway.body_router import check_chart
from workspace_ctrl.planning.plan_settings import (
    BODY_ROUTER_CHART,
    AutoscalingSettings,
    BodyRoutingSettings,
    ChartSource,
    GatewayChoice,
    Mode,
    PickerSettings,
    PlanSettings,
    Verification,
)
from workspace_ctrl.settings.model_index import ModelIndexStanza
from workspace_ctrl.settings.model_server_settings import ModelServerSettings
from workspace_ctrl.settings.process import DEFAULT_HUB, OFF, HubSettings, ProbeMode, ProbeSettings, SettingsError
from workspace_ctrl.settings.stanza import Stanza
from workspace_ctrl.settings.value_types import (
    Digest,
    Duration,
    GatewayClasses,
    GatewayKey,
    HttpUrl,
    HubUrl,
    Name,
    Namespace,
    NamespaceOrAll,
    Network,
    Path,
    Resources,
    Url,
    ValuePath,
)

_DEFAULT_CHART = ChartSource()
_DEFAULT_PROBE = ProbeSettings()


def _probe_mode(given: object) -> object:
    """Return the mode; YAML reads an unquoted `off` as false."""
    text = "off" if given is False else given
    if text not in list(ProbeMode):  # which, unlike a set, compares with what has no hash
        raise PydanticCustomError("rule", "must be one of {modes}", {"modes": ", ".join(ProbeMode)})
    return ProbeMode(str(text))


def _mode(given: object) -> object:
    if given not in list(Mode):
        raise PydanticCustomError("rule", "must be one of {modes}", {"modes": ", ".join(Mode)})
    return Mode(str(given))


class FeatureGates(Stanza):
    """Feature gates; None for the default."""

    gateway_extension: bool | None = Field(default=None, alias="gatewayAPIInferenceExtension")


class GatewaySettings(Stanza):
    """The Gateway of Workspaces that name none."""

    namespace: Namespace
    name: Name
    section_name: Name | None = None

    def choice(self) -> GatewayChoice:
        """Return the settings for planning."""
        return GatewayChoice(self.namespace, self.name, self.section_name or "")


class SecretReference(Stanza):
    """A Secret in the namespace of each Workspace that uses the source: Flux reads Secrets only from there."""

    name: Name


class VerifySettings(Stanza):
    """How Flux verifies the signature of a chart."""

    provider: Literal["cosign", "notation"]
    secret_ref: SecretReference | None = None

    @model_validator(mode="after")
    def _notation_needs_keys(self) -> "VerifySettings":
        if self.provider == "notation" and self.secret_ref is None:
            raise PydanticCustomError(
                "rule", "needs secretRef with notation; set it to the Secret with trust policy and certificates"
            )
        return self


class ChartSettings(Stanza):
    """Source of a chart."""

    url: Url
    version: str
    digest: Digest | None = None
    layout: str | None = Field(default=None, min_length=1)
    insecure: bool = False
    secret_ref: SecretReference | None = None
    cert_secret_ref: SecretReference | None = None
    verify: VerifySettings | None = None

    @model_validator(mode="after")
    def _is_known(self) -> "ChartSettings":
        try:
            self._check()
        except UnknownChartError as error:
            raise PydanticCustomError("rule", "cannot be used: {error}", {"error": str(error)}) from None
        return self

    @abstractmethod
    def _check(self) -> None:
        """Check that the layout of the chart's values is known.

        Raises:
            UnknownChartError: it is not.
        """

    def _source(self, name: str) -> ChartSource:
        verify = self.verify
        return ChartSource(
            name=name,
            url=self.url,
            version=self.version,
            digest=self.digest or "",
            layout=self.layout or "",
            insecure=self.insecure,
            secret=self.secret_ref.name if self.secret_ref else "",
            cert_secret=self.cert_secret_ref.name if self.cert_secret_ref else "",
            verification=Verification(verify.provider, verify.secret_ref.name if verify.secret_ref else "") if verify else None,
        )


class ChartSourceSettings(ChartSettings):
    """Source of the chart that installs pool and endpoint picker."""

    name: Name = _DEFAULT_CHART.name
    url: Url = _DEFAULT_CHART.url
    version: str = _DEFAULT_CHART.version
    allowed_digests: dict[str, Digest] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _pinned_or_chosen(self) -> "ChartSourceSettings":
        if self.digest and self.allowed_digests:
            problem = "has both digest and allowedDigests, but a source with a digest is pinned to it; remove one of them"
            raise PydanticCustomError("rule", problem)
        return self

    def _check(self) -> None:
        for version in (self.version, *self.allowed_digests):
            find_layout(self.source().values_of, version)

    def source(self) -> ChartSource:
        """Return the settings for planning."""
        return replace(self._source(self.name), allowed_digests=tuple(self.allowed_digests.items()))


class BodyRouterChartSettings(ChartSettings):
    """Source of the chart that installs a body-based router; its Secrets are in the namespace of each Gateway."""

    url: Url = BODY_ROUTER_CHART.url
    version: str = BODY_ROUTER_CHART.version

    def _check(self) -> None:
        check_chart(self.source())

    def source(self) -> ChartSource:
        """Return the settings for planning."""
        return self._source(BODY_ROUTER_CHART.name)


class BodyRoutingStanza(Stanza):
    """Whether Gateways on which Workspaces match the header with the model name get a body-based router."""

    mode: Annotated[Literal["off", "managed"], BeforeValidator(lambda given: "off" if given is False else given)] = "off"
    chart: BodyRouterChartSettings = Field(default_factory=BodyRouterChartSettings)
    values: dict[str, Any] = Field(default_factory=dict)

    def settings(self, service_account: str = "") -> BodyRoutingSettings:
        """Return the settings for planning; Flux installs with `service_account`."""
        return BodyRoutingSettings(self.mode == "managed", self.chart.source(), self.values, service_account)


class PrometheusReference(Stanza):
    """A Prometheus that has the metrics of the endpoint pickers."""

    url: HttpUrl


class AutoscalingStanza(Stanza):
    """Whether InferenceSets are scaled by load, with KEDA, and where it reads the load."""

    enabled: bool = False
    url: HttpUrl | None = None
    prometheus: PrometheusReference | None = None

    @model_validator(mode="after")
    def _has_a_source(self) -> "AutoscalingStanza":
        if self.enabled and self.url is None and self.prometheus is None:
            raise PydanticCustomError("rule", "needs url, at which KEDA reaches --load-port, or prometheus; set one of them")
        return self

    def settings(self) -> AutoscalingSettings:
        """Return the settings for planning."""
        prometheus = self.prometheus.url.rstrip("/") if self.prometheus is not None else ""
        return AutoscalingSettings(self.enabled, (self.url or "").rstrip("/"), prometheus)


class EndpointPickerSettings(Stanza):
    """Settings of all endpoint pickers."""

    resources: Resources | None = None
    replicas: int = Field(default=1, ge=1, le=100)
    values: dict[str, Any] = Field(default_factory=dict)
    allowed_values: list[ValuePath] = Field(default_factory=list)
    allow_values_from: bool = False

    def settings(self) -> PickerSettings:
        """Return the settings for planning."""
        kept = {"resources": self.resources} if self.resources is not None else {}
        return PickerSettings(
            replicas=self.replicas,
            values=self.values,
            allowed_values=tuple(self.allowed_values),
            allow_values_from=self.allow_values_from,
            **kept,
        )


class ChartCheckSettings(Stanza):
    """Whether charts are checked with Helm before their first use."""

    enabled: bool = False
    helm: str = Field(default="helm", min_length=1)


class HelmReleaseSettings(Stanza):
    """Settings of all HelmReleases."""

    service_account_name: Name | None = None


class SecretKey(Stanza):
    """Namespace and name of a Secret."""

    namespace: Namespace
    name: Name


class ProbeStanza(Stanza):
    """Probes: requests through Gateways."""

    mode: Annotated[ProbeMode, BeforeValidator(_probe_mode)] = _DEFAULT_PROBE.mode
    interval: float = Field(default=_DEFAULT_PROBE.interval, ge=1)
    secret: SecretKey | None = None
    token_gateways: list[GatewayKey] | None = None
    networks: list[Network] = Field(default_factory=list)

    def settings(self) -> ProbeSettings:
        """Return the settings for the controller."""
        return ProbeSettings(
            mode=self.mode,
            interval=self.interval,
            secret=(self.secret.namespace, self.secret.name) if self.secret else None,
            token_gateways=frozenset(self.token_gateways) if self.token_gateways is not None else None,
            networks=tuple(map(ip_network, self.networks)),
        )


class ModelHubStanza(Stanza):
    """The model hub, which is asked for the figures of models that are not in the catalog."""

    url: Annotated[HubUrl, BeforeValidator(lambda given: OFF if given is False else given)] = DEFAULT_HUB
    networks: list[Network] = Field(default_factory=list)

    def settings(self) -> HubSettings:
        """Return the settings for the controller."""
        return HubSettings("" if self.url == OFF else self.url, tuple(map(ip_network, self.networks)))


class SettingsFile(Stanza):
    """The whole file; every section is optional."""

    mode: Annotated[Mode, BeforeValidator(_mode)] = Mode.MANAGED
    feature_gates: FeatureGates = Field(default_factory=FeatureGates)
    gateway: GatewaySettings | None = None
    gateway_namespaces: list[NamespaceOrAll] = Field(default_factory=list)
    gateway_classes: GatewayClasses = Field(default_factory=dict)
    shared_paths: list[Path] = Field(default_factory=list)
    match_reported_names: bool = False
    chart_sources: list[ChartSourceSettings] = Field(default_factory=lambda: [ChartSourceSettings()], min_length=1)
    chart_check: ChartCheckSettings = Field(default_factory=ChartCheckSettings)
    endpoint_picker: EndpointPickerSettings = Field(default_factory=EndpointPickerSettings)
    model_server: ModelServerSettings = Field(default_factory=ModelServerSettings)
    model_hub: ModelHubStanza | None = None
    """None if the file has none: the default of `run` is Hugging Face, that of `plan` none."""
    helm_release: HelmReleaseSettings = Field(default_factory=HelmReleaseSettings)
    restricted_fields: Literal["allow", "deny"] | None = None
    timeout: Duration | None = None
    probe: ProbeStanza = Field(default_factory=ProbeStanza)
    autoscaling: AutoscalingStanza = Field(default_factory=AutoscalingStanza)
    body_based_routing: BodyRoutingStanza = Field(default_factory=BodyRoutingStanza)
    model_index: ModelIndexStanza = Field(default_factory=ModelIndexStanza)

    @model_validator(mode="after")
    def _names_are_their_own(self) -> "SettingsFile":
        names = [source.name for source in self.chart_sources]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            message = "chartSources need unique names; rename one of those called {name}"
            raise PydanticCustomError("rule", message, {"name": twice})
        return self

    def plan_settings(self) -> PlanSettings:
        """Return the settings for planning."""
        given: dict[str, Any] = {"model_server_image": self.model_server.image, "request_timeout": self.timeout}
        account = self.helm_release.service_account_name or ""
        return PlanSettings(
            mode=self.mode,
            gateway_extension=bool(self.feature_gates.gateway_extension),
            probes=self.probe.mode is not ProbeMode.OFF,
            gateway=self.gateway.choice() if self.gateway else None,
            gateway_namespaces=tuple(self.gateway_namespaces),
            gateway_classes=self.gateway_classes,
            shared_paths=tuple(self.shared_paths),
            match_reported_names=self.match_reported_names,
            charts=tuple(source.source() for source in self.chart_sources),
            picker=self.endpoint_picker.settings(),
            autoscaling=self.autoscaling.settings(),
            body_routing=self.body_based_routing.settings(account),
            model_index=self.model_index.settings(),
            flux_service_account=account,
            budgets=self.model_server.disruption_budget.settings(),
            local_weights=self.model_server.local_weights or "",
            model_server_resources=self.model_server.resources or {},
            model_server_priority_class=self.model_server.priority_class_name or "",
            model_server_env=self.model_server.variables(),
            model_server_ca_bundle=self.model_server.certificates(),
            restricted_fields=self.restricted_fields == "allow",
            **{name: value for name, value in given.items() if value is not None},
        )


def parse_settings_file(text: str) -> SettingsFile:
    """Return the settings in `text`, which is YAML; if it is empty, the defaults.

    Raises:
        SettingsError: it is not YAML, or a setting is invalid; the message names the setting and the valid values.
    """
    try:
        documents = parse_documents(text)
    except YamlError as error:
        raise SettingsError(str(error)) from None
    if len(documents) > 1:
        raise SettingsError(f"contains {len(documents)} documents; use one")
    try:
        return SettingsFile.model_validate(documents[0] if documents and documents[0] is not None else {})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SettingsError(_sentence(first)) from None


def _sentence(error: ErrorDetails) -> str:
    location = (*error["loc"], error["ctx"]["key"]) if error["type"] == "unknown_key" else error["loc"]
    words = error["msg"] if error["type"] in {"rule", "unknown_key"} else value_problem(error)
    return f"{field_path(location)} {words}".strip()
