"""The settings file of an installation (docs/settings.md): what `--config` names.

A new stanza is a class here and a field of `SettingsFile`; whoever needs it reads it from there. Unknown keys are refused, because they
are misspelt ones.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from workspace_ctrl.api.documents import DocumentError, parse_documents
from workspace_ctrl.api.errors import field_path
from workspace_ctrl.catalog.charts import UnknownChartError, find_layout
from workspace_ctrl.catalog.loading import suggestion
from workspace_ctrl.controller.settings import ProbeMode, ProbeSettings, SettingsError
from workspace_ctrl.planning.body_routers import check_chart
from workspace_ctrl.planning.settings import (
    BODY_ROUTER_CHART,
    BodyRoutingSettings,
    ChartSource,
    GatewayChoice,
    PickerSettings,
    PlanSettings,
    Verification,
)

_DEFAULT_CHART = ChartSource()
_DEFAULT_PROBE = ProbeSettings()


def _matching(pattern: str, rule: str) -> AfterValidator:
    """Return a check that text matches `pattern`; `rule` completes "<path> must be ..."."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise PydanticCustomError("rule", "must be {rule}", {"rule": rule})
        return value

    return AfterValidator(check)


_Name = Annotated[str, _matching(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", "the name of an object, such as inference-gateway")]
_Namespace = Annotated[str, _matching(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "the name of a namespace, such as gateways")]
_Url = Annotated[
    str,
    _matching(
        r"oci://[^/\s@]+(/[^/\s:@]+)+",
        "a URL without a tag, such as oci://registry.example/charts/inferencepool; set the tag as version",
    ),
]
_Digest = Annotated[str, _matching(r"sha256:[0-9a-f]{64}", "sha256: and 64 hexadecimal digits")]
_Duration = Annotated[str, _matching(r"([0-9]{1,5}(h|m|s|ms)){1,4}", 'a duration, such as 300s, or 0s for "no limit"')]
_ValuePath = Annotated[
    str, _matching(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", "a dotted path in the chart's values, such as inferenceExtension.affinity")
]


def _probe_mode(given: object) -> object:
    """Return the mode that is meant; YAML takes a bare `off` for false."""
    text = "off" if given is False else given
    if text not in set(ProbeMode):
        raise PydanticCustomError("rule", "must be one of {modes}", {"modes": ", ".join(ProbeMode)})
    return ProbeMode(str(text))


class Stanza(BaseModel):
    """Base of all parts of the file: frozen, camelCase, strict."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, given: object) -> object:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in given if isinstance(given, Mapping) else ():
            if key not in known:
                remedy = suggestion(str(key), known, f"use one of {', '.join(known)}")
                raise PydanticCustomError("unknown_key", "is not known; {remedy}", {"key": key, "remedy": remedy})
        return given


class FeatureGates(Stanza):
    """Features to switch on or off."""

    gateway_extension: bool | None = Field(default=None, alias="gatewayAPIInferenceExtension")


class GatewaySettings(Stanza):
    """The Gateway of all Workspaces that name none."""

    namespace: _Namespace
    name: _Name
    section_name: _Name | None = None

    def choice(self) -> GatewayChoice:
        """Return what planning knows of it."""
        return GatewayChoice(self.namespace, self.name, self.section_name or "")


class SecretReference(Stanza):
    """A Secret in the namespace of each Workspace that uses the source: Flux takes none from elsewhere."""

    name: _Name


class VerifySettings(Stanza):
    """How Flux checks the signature of a chart."""

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
    """Where a chart comes from."""

    url: _Url
    version: str
    digest: _Digest | None = None
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
        """Check that the values of the chart are known.

        Raises:
            UnknownChartError: they are not.
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
    """Where the chart that installs pool and endpoint picker comes from."""

    name: _Name = _DEFAULT_CHART.name
    url: _Url = _DEFAULT_CHART.url
    version: str = _DEFAULT_CHART.version

    def _check(self) -> None:
        find_layout(self.source().values_of, self.version)

    def source(self) -> ChartSource:
        """Return what planning knows of it."""
        return self._source(self.name)


class BodyRouterChartSettings(ChartSettings):
    """Where the chart that installs a body-based router comes from; its Secrets lie in the namespace of each Gateway."""

    url: _Url = BODY_ROUTER_CHART.url
    version: str = BODY_ROUTER_CHART.version

    def _check(self) -> None:
        check_chart(self.source())

    def source(self) -> ChartSource:
        """Return what planning knows of it."""
        return self._source(BODY_ROUTER_CHART.name)


class BodyRoutingStanza(Stanza):
    """Whether Gateways that are used by the model's name in a header get a body-based router."""

    mode: Annotated[Literal["off", "managed"], BeforeValidator(lambda given: "off" if given is False else given)] = "off"
    chart: BodyRouterChartSettings = Field(default_factory=BodyRouterChartSettings)
    values: dict[str, Any] = Field(default_factory=dict)

    def settings(self) -> BodyRoutingSettings:
        """Return what planning knows of it."""
        return BodyRoutingSettings(self.mode == "managed", self.chart.source(), self.values)


class EndpointPickerSettings(Stanza):
    """What the installation decides of every endpoint picker."""

    resources: dict[str, Any] | None = None
    replicas: int = Field(default=1, ge=1, le=100)
    values: dict[str, Any] = Field(default_factory=dict)
    allowed_values: list[_ValuePath] = Field(default_factory=list)
    allow_values_from: bool = False

    def settings(self) -> PickerSettings:
        """Return what planning knows of it."""
        kept = {"resources": self.resources} if self.resources is not None else {}
        return PickerSettings(
            replicas=self.replicas,
            values=self.values,
            allowed_values=tuple(self.allowed_values),
            allow_values_from=self.allow_values_from,
            **kept,
        )


class ChartCheckSettings(Stanza):
    """Whether charts are looked at with Helm before their first use."""

    enabled: bool = False
    helm: str = Field(default="helm", min_length=1)


class ModelServerSettings(Stanza):
    """What the installation decides of every model server."""

    image: str | None = Field(default=None, min_length=1)


class SecretKey(Stanza):
    """A Secret of the installation."""

    namespace: _Namespace
    name: _Name


class ProbeStanza(Stanza):
    """Requests through Gateways."""

    mode: Annotated[ProbeMode, BeforeValidator(_probe_mode)] = _DEFAULT_PROBE.mode
    interval: float = Field(default=_DEFAULT_PROBE.interval, ge=1)
    secret: SecretKey | None = None

    def settings(self) -> ProbeSettings:
        """Return what the controller knows of it."""
        return ProbeSettings(self.mode, self.interval, (self.secret.namespace, self.secret.name) if self.secret else None)


class SettingsFile(Stanza):
    """The whole file; every stanza may be left out."""

    feature_gates: FeatureGates = Field(default_factory=FeatureGates)
    gateway: GatewaySettings | None = None
    chart_sources: list[ChartSourceSettings] = Field(default_factory=lambda: [ChartSourceSettings()], min_length=1)
    chart_check: ChartCheckSettings = Field(default_factory=ChartCheckSettings)
    endpoint_picker: EndpointPickerSettings = Field(default_factory=EndpointPickerSettings)
    model_server: ModelServerSettings = Field(default_factory=ModelServerSettings)
    timeout: _Duration | None = None
    probe: ProbeStanza = Field(default_factory=ProbeStanza)
    body_based_routing: BodyRoutingStanza = Field(default_factory=BodyRoutingStanza)

    @model_validator(mode="after")
    def _names_are_their_own(self) -> "SettingsFile":
        names = [source.name for source in self.chart_sources]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            message = "chartSources need unique names; rename one of those called {name}"
            raise PydanticCustomError("rule", message, {"name": twice})
        return self

    def plan_settings(self) -> PlanSettings:
        """Return what planning needs of it."""
        given = {"model_server_image": self.model_server.image, "request_timeout": self.timeout}
        return PlanSettings(
            gateway_extension=bool(self.feature_gates.gateway_extension),
            gateway=self.gateway.choice() if self.gateway else None,
            charts=tuple(source.source() for source in self.chart_sources),
            picker=self.endpoint_picker.settings(),
            body_routing=self.body_based_routing.settings(),
            **{name: value for name, value in given.items() if value is not None},
        )


def parse_settings_file(text: str) -> SettingsFile:
    """Return the settings in `text`, which is YAML; an empty one leaves all to the defaults.

    Raises:
        SettingsError: it is no YAML, or a setting cannot be used; the message says which and what to write.
    """
    try:
        documents = parse_documents(text)
    except DocumentError as error:
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
    words = error["msg"] if error["type"] in {"rule", "unknown_key"} else f"is not valid: {error['msg']}"
    return f"{field_path(location)} {words}".strip()
