"""The validating admission webhook, served by kopf: `kubectl apply` reports problems of a Workspace at once, not only its status.

The API server calls it (ValidatingWebhookConfiguration of the chart), kopf finds the handler, and the handler returns the verdict of
planning. Every replica serves it, leading or not. Nothing depends on it: if it fails, the Workspace is accepted, and its status has the
problems.
"""

import logging
from typing import Final

import kopf
from kopf._cogs.structs.references import Insights  # what `kopf.spawn_tasks` takes, and kopf does not export

from workspace_ctrl.api.labels import GROUP, PLURAL
from workspace_ctrl.api.value_limits import MOST_LEVELS
from workspace_ctrl.cache.watches import WORKSPACE
from workspace_ctrl.kube.client import Client
from workspace_ctrl.planning.admission.admission_verdict import Known, Verdict, judge, judge_change
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.process.admission_lookups import existing
from workspace_ctrl.process.admission_server import UNDER_REVIEW, AdmissionServer, Review
from workspace_ctrl.records.workspaces import MAX_SPEC_BYTES
from workspace_ctrl.settings.process import AdmissionSettings

logger = logging.getLogger(__name__)

_LOOK_UP_SECONDS: Final = 0.05
"""Timeout of the lookups in the cluster; after it, the warnings that depend on them are left out."""
_MOST_LOOK_UPS: Final = 4
"""Number of reviews with concurrent lookups; further ones get no warnings that depend on the cluster."""
_UNPROCESSABLE: Final = 422
"""HTTP status of a rejection, the same as for a violation of the schema."""
_UNREADABLE: Final = f"it is larger than {MAX_SPEC_BYTES >> 10} KiB or nested deeper than {MOST_LEVELS} levels; make it smaller"


class Admission:
    """Serves the verdicts on Workspaces before they are stored."""

    def __init__(self, settings: AdmissionSettings, plan: PlanSettings, client: Client) -> None:
        self.server = AdmissionServer(settings)
        self._plan = plan
        self._client = client
        self._look_ups = 0

    def register(self, registry: kopf.OperatorRegistry, settings: kopf.OperatorSettings) -> None:
        """Register the webhook; kopf does not manage its configuration, so it needs no rights on it."""
        kopf.on.validate(GROUP, PLURAL, id="workspaces", registry=registry)(self._validate)
        settings.admission.server = self.server
        logging.getLogger("kopf.objects").setLevel(logging.CRITICAL)  # it logs each rejection as an error

    async def _validate(self, warnings: list[str], **_: object) -> None:
        """Handle one review.

        Raises:
            AdmissionError: the Workspace is rejected; the message is for its author.
        """
        review = UNDER_REVIEW.get()
        try:
            verdict = await self._verdict(review)
        except Exception:  # an error of ours is no reason to reject a Workspace
            logger.exception("%s could not be validated at admission; it was accepted", _name(review))
            warnings.append(f"workspace-ctrl could not validate this {review.kind} because of an internal error; see its status")
            return
        warnings += verdict.warnings
        if self._plan.is_companion:  # the Workspace is KAITO's to reject
            warnings += verdict.refusals
        elif verdict.refusals:
            logger.info("%s rejected at admission: %r", _name(review), verdict.refusals)
            raise kopf.AdmissionError("; ".join(verdict.refusals), code=_UNPROCESSABLE)

    async def _verdict(self, review: Review) -> Verdict:
        if review.operation not in {"CREATE", "UPDATE"}:
            return Verdict()
        if review.new is None:
            return _unread(review)
        if "deletionTimestamp" in review.new.get("metadata", {}):
            return Verdict()
        if review.old is not None:
            return judge_change(review.new, review.old, Known(), self._plan)
        verdict = judge(review.new, Known(), self._plan)
        if verdict.preview is None or self._look_ups >= _MOST_LOOK_UPS:
            return verdict
        self._look_ups += 1
        try:
            known = await existing(self._client, verdict.preview, _LOOK_UP_SECONDS)
        finally:
            self._look_ups -= 1
        return verdict if known == Known() else judge(review.new, known, self._plan)


def kopf_insights() -> Insights:
    """Return the discovery result that kopf needs: Workspaces have a webhook, and no kind is watched."""
    insights = Insights(
        webhook_resources={kopf.Resource(WORKSPACE.group, WORKSPACE.version, WORKSPACE.plural, kind=WORKSPACE.kind)}
    )
    insights.ready_resources.set()
    return insights


def _unread(review: Review) -> Verdict:
    if review.operation == "CREATE":
        return Verdict((f"the {review.kind} cannot be read: {_UNREADABLE}",))
    # It must stay possible to remove finalizers and to edit labels, and whether the update does only that is not known here.
    return Verdict(warnings=(f"the update was not validated: {_UNREADABLE}",))


def _name(review: Review) -> str:
    document = review.new if isinstance(review.new, dict) else {}
    metadata = document.get("metadata")
    name = (metadata.get("namespace"), metadata.get("name")) if isinstance(metadata, dict) else (None, None)
    return f"{review.kind} {name[0]}/{name[1]}"
