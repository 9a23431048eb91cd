"""The page of one user who came with a token: followed while a browser is there and the API server accepts the token."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.cli.page.followed_kinds import PageScope, follow_kinds
from workspace_ctrl.cli.page.live_objects import LiveObjects
from workspace_ctrl.cli.page.user_page import PageTexts, UserPage
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection
from workspace_ctrl.kube.errors import ApiError, ForbiddenError
from workspace_ctrl.kube.resources import ApiResource
from workspace_ctrl.kube.tasks import first_completed, log_failure

logger = logging.getLogger(__name__)

_REVIEW: Final = ApiResource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False)
_LONGEST_NAME: Final = 200
_OF_ONE_NAMESPACE: Final = "write its name into the field Namespace"
NOT_ACCEPTED: Final = "the API server does not accept the token: it has expired, was revoked, or is for another cluster"


class TokenRefusedError(Exception):
    """The API server does not accept a token."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a page lasts, and how large it is."""

    most_objects: int = 4000
    idle_seconds: float = 60.0
    """After this time without a browser, a page ends."""
    check_seconds: float = 10.0
    """Interval at which the API server is asked whether the token is still valid: watches outlive it."""
    again_seconds: float = 1.0
    """After this time a token that was not accepted is checked once more before the page ends."""


async def user_of(connection: Connection) -> str:
    """Return the name of the user whose token a connection has; empty if he may not ask for it.

    Raises:
        TokenRefusedError: the API server does not accept the token.
        ApiError: the API server cannot be reached.
    """
    review = {"apiVersion": _REVIEW.api_version, "kind": _REVIEW.kind, "metadata": {}}
    try:
        found = await Client(connection, FIELD_MANAGER, attempts=1).create(_REVIEW, review)
    except ForbiddenError:
        return ""  # who he is was found out before that
    except ApiError as error:
        if error.status == HTTPStatus.UNAUTHORIZED:
            raise TokenRefusedError(NOT_ACCEPTED) from None
        raise
    return printable(str(found.get("status", {}).get("userInfo", {}).get("username") or ""), _LONGEST_NAME)


class TokenSession:
    """One page, with a connection of its own, which sends one token."""

    def __init__(self, connection: Connection, user: str, scope: PageScope, title: str, limits: SessionLimits) -> None:
        """Prepare the page of `user`; the session closes the connection at its end."""
        self.user = user
        self._connection = connection
        self._scope = scope
        self._limits = limits
        self._client = Client(connection, FIELD_MANAGER)
        self._live = LiveObjects(most=limits.most_objects, of_one_namespace=_OF_ONE_NAMESPACE)
        self.page: Final = UserPage(self._client, self._live, PageTexts(_title(title, user, scope.namespace), has_token=True))
        self._task: asyncio.Task[None] | None = None
        self._used = asyncio.get_running_loop().time()

    def start(self, ended: Callable[[], None]) -> None:
        """Follow the objects until the session ends; `ended` is called then."""
        self._task = asyncio.create_task(self._run(ended), name="a page")
        self._task.add_done_callback(lambda task: log_failure(logger, task))

    async def close(self) -> None:
        """End the session."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def use(self) -> UserPage:
        """Return the page for a request."""
        self._used = asyncio.get_running_loop().time()
        return self.page

    @property
    def is_followed(self) -> bool:
        """Whether a browser follows the page."""
        return self._live.is_watched

    @property
    def idle_since(self) -> float:
        """When the page was used last, in seconds of the event loop's clock; infinite while a browser follows it."""
        return float("inf") if self.is_followed else self._used

    async def _run(self, ended: Callable[[], None]) -> None:
        words = "the page has ended; reload it"
        try:
            await first_completed(lambda: follow_kinds(self._client, self._scope, self._live, lambda: None), self._last)
        except TokenRefusedError as error:
            words = str(error)
        except ApiError as error:
            words = f"the objects cannot be read: {error}"
        finally:
            ended()
            self._live.end(words)
            await self._connection.close()

    async def _last(self) -> None:
        """Return when nobody has used the page for a while.

        Raises:
            TokenRefusedError: the API server does not accept the token any more.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._limits.check_seconds)
            if self._live.is_watched:
                self._used = loop.time()
            elif loop.time() - self._used >= self._limits.idle_seconds:
                return
            await self._check()

    async def _check(self) -> None:
        """Check the token, and once more before it counts as refused; another failure says nothing of the token.

        Raises:
            TokenRefusedError: the API server does not accept it.
        """
        for pause in (self._limits.again_seconds, None):
            try:
                await user_of(self._connection)
            except TokenRefusedError:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
                continue
            except ApiError as error:
                logger.debug("a token cannot be checked: %s", error)
            return


def _title(cluster: str, user: str, namespace: str) -> str:
    parts = (cluster, f"namespace {namespace}" if namespace else "", f"as {user}" if user else "")
    return ", ".join(part for part in parts if part)
