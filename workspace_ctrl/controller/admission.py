"""kopf's job: what `kubectl apply` of a Workspace hears at once, instead of later from the status.

The API server asks (ValidatingWebhookConfiguration, made by the chart), kopf finds the handler, and the pure verdict of planning answers.
Every replica serves, leading or not. Nothing depends on it: a defect here lets a Workspace pass, and its status says the rest.
"""

import logging
from typing import Final

import kopf
from kopf._cogs.structs.references import Insights  # what `kopf.spawn_tasks` takes, and kopf does not export

from workspace_ctrl.api.bounds import MOST_BYTES, MOST_LEVELS
from workspace_ctrl.api.labels import GROUP, KIND, PLURAL
from workspace_ctrl.controller.admission_server import UNDER_REVIEW, AdmissionServer, Review
from workspace_ctrl.controller.existing import existing
from workspace_ctrl.controller.kinds import WORKSPACE
from workspace_ctrl.controller.settings import AdmissionSettings
from workspace_ctrl.kube.client import Client
from workspace_ctrl.planning.settings import PlanSettings
from workspace_ctrl.planning.verdict import Known, Verdict, judge, judge_change

logger = logging.getLogger(__name__)

_LOOK_UP_SECONDS: Final = 0.05
"""For how long the cluster is asked; an apply never waits longer, and then hears less."""
_MOST_LOOK_UPS: Final = 4
"""At once; whoever asks meanwhile hears nothing of the cluster."""
_UNPROCESSABLE: Final = 422
"""HTTP status of a refusal, as for what a schema refuses."""
_LIMITS: Final = f"at most {MOST_BYTES // 1024} KiB and {MOST_LEVELS} levels are read"


class Admission:
    """Serves the verdict on Workspaces before they are stored."""

    def __init__(self, settings: AdmissionSettings, plan: PlanSettings, client: Client) -> None:
        self.server = AdmissionServer(settings)
        self._plan = plan
        self._client = client
        self._look_ups = 0

    def register(self, registry: kopf.OperatorRegistry, settings: kopf.OperatorSettings) -> None:
        """Make kopf serve; it manages no configuration of webhooks, so it needs no right to them."""
        kopf.on.validate(GROUP, PLURAL, id="workspaces", registry=registry)(self._validate)
        settings.admission.server = self.server
        logging.getLogger("kopf.objects").setLevel(logging.CRITICAL)  # where it calls each refusal an error of ours

    async def _validate(self, warnings: list[str], **_: object) -> None:
        """Answer kopf.

        Raises:
            AdmissionError: the Workspace is refused; the sentence is for its author.
        """
        review = UNDER_REVIEW.get()
        try:
            verdict = await self._verdict(review)
        except Exception:  # whatever is wrong with us is no reason to refuse somebody's Workspace
            logger.exception("the check of %s at its admission failed; it was let in", _name(review))
            warnings.append("workspace-ctrl could not check this Workspace because of an error of its own; see its status")
            return
        warnings += verdict.warnings
        if verdict.refusals:
            logger.info("refused at admission: %s: %r", _name(review), verdict.refusals)
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
            known = await existing(self._client, review.new, verdict.preview, _LOOK_UP_SECONDS)
        finally:
            self._look_ups -= 1
        return verdict if known == Known() else judge(review.new, known, self._plan)


def kopf_insights() -> Insights:
    """Return what kopf would find out about the cluster: Workspaces are served, and nothing is there to be watched."""
    insights = Insights(
        webhook_resources={kopf.Resource(WORKSPACE.group, WORKSPACE.version, WORKSPACE.plural, kind=WORKSPACE.kind)}
    )
    insights.ready_resources.set()
    return insights


def _unread(review: Review) -> Verdict:
    if review.operation == "CREATE":
        return Verdict((f"the Workspace is too large, or nested too deep, to be read; {_LIMITS}",))
    # Its finalizers must be removable, and what is the same as before passes; which cannot be seen here.
    return Verdict(warnings=(f"this change was not checked, being too large or nested too deep; {_LIMITS}",))


def _name(review: Review) -> str:
    metadata = review.new.get("metadata") if isinstance(review.new, dict) else None
    name = (metadata.get("namespace"), metadata.get("name")) if isinstance(metadata, dict) else (None, None)
    return f"{KIND} {name[0]}/{name[1]}"
