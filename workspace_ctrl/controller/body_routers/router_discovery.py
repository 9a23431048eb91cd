"""Whether body-based routers are to be managed, found out before the process starts."""

from workspace_ctrl.api.labels import BODY_ROUTER_LABEL
from workspace_ctrl.cache.watches import OCI_REPOSITORY
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ForbiddenError, KindNotServedError
from workspace_ctrl.settings.process import Settings
from workspace_ctrl.settings.workspace_scope import Scope


async def needs_body_routers(client: Client, settings: Settings) -> bool:
    """Return whether body-based routers have to be reconciled: the settings enable them, or earlier settings did and some still exist.

    Only a process that reconciles all Workspaces can know that a router is not used.

    Raises:
        ApiError: the request failed.
    """
    if settings.scope != Scope():
        return False
    if settings.plan.manages_body_routers:
        return True
    try:
        # The source is the first object of a router to be created, and the last to be deleted.
        page = await client.list_page(OCI_REPOSITORY, {"limit": "1", "labelSelector": BODY_ROUTER_LABEL}, metadata_only=True)
    except (KindNotServedError, ForbiddenError):
        return False
    return bool(page.get("items"))
