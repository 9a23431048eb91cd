"""The pages of all users who come with a token: one for each token and namespace.

Nothing is shared between them: each has its own connection, which sends that token alone, and its own objects, which the API server gave
to that token. So what a user sees is what the API server lets him see. Tokens are kept in memory, as long as a page lasts.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from workspace_ctrl.cli.page.followed_kinds import PageScope
from workspace_ctrl.cli.page.token_session import SessionLimits, TokenSession, user_of
from workspace_ctrl.cli.page.user_page import UserPage
from workspace_ctrl.kube.access.access import Access
from workspace_ctrl.kube.connection import open_connection


class BusyError(Exception):
    """There is no room for a further page at the moment; the message says why."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many at once, and so many a second."""

    per_second: float
    at_once: float
    left: float
    at: float = 0.0
    """Time of `left`, in seconds of the event loop's clock."""

    def take(self, now: float) -> "RateLimit | None":
        """Return what is left after one more at the time `now`; None if there is none left."""
        left = min(self.left + (now - self.at) * self.per_second, self.at_once)
        return replace(self, left=left - 1, at=now) if left >= 1 else None


@dataclass(frozen=True, slots=True)
class Room:
    """How much all users together can take."""

    most: int = 24
    """Pages at once."""
    most_of_user: int = 4
    """Pages of one user: each of his tokens, and each namespace that he chooses, has its own."""
    new: RateLimit = RateLimit(per_second=5, at_once=20, left=20)
    """New tokens that are checked."""


class TokenSessions:
    """All pages, by token and namespace."""

    def __init__(
        self, access_with: Callable[[str], Access], title: str, limits: SessionLimits | None = None, room: Room | None = None
    ) -> None:
        """Begin without pages; `access_with` returns the access of a token, and `title` names the cluster."""
        self._access_with = access_with
        self._title = title
        self._limits = limits or SessionLimits()
        self._room = room or Room()
        self._new = self._room.new
        self._secret = secrets.token_bytes(32)
        self._sessions: dict[tuple[bytes, str], TokenSession] = {}

    def __len__(self) -> int:
        """Return the number of pages."""
        return len(self._sessions)

    async def page(self, token: str, namespace: str) -> UserPage:
        """Return the page of a token, with the objects of one namespace or (if it is empty) of all.

        Raises:
            TokenRefusedError: the API server does not accept the token.
            BusyError: there are too many pages, or too many new tokens.
            ApiError: the API server cannot be reached.
        """
        key = hmac.digest(self._secret, token.encode(), "sha256"), namespace
        session = self._sessions.get(key) or await self._open(key, token)
        return session.use()

    async def close(self) -> None:
        """End all pages."""
        await asyncio.gather(*(session.close() for session in self._sessions.values()))

    async def _open(self, key: tuple[bytes, str], token: str) -> TokenSession:
        """Check a token, and open its page, unless another request has done that meanwhile."""
        new = self._new.take(asyncio.get_running_loop().time())
        if new is None:
            raise BusyError("too many sign in at once; try it again in a few seconds")
        self._new = new
        connection = open_connection(self._access_with(token))
        ended = [connection.close]
        try:
            user = await user_of(connection)
            if (session := self._sessions.get(key)) is None:
                surplus = self._surplus(user)
                session = TokenSession(connection, user, PageScope(key[1]), self._title, self._limits)
                self._add(key, session)
                ended = [each.close for each in surplus]
            return session
        finally:
            await asyncio.gather(*(close() for close in ended))

    def _add(self, key: tuple[bytes, str], session: TokenSession) -> None:
        self._sessions[key] = session
        session.start(lambda: self._remove(session))

    def _remove(self, session: TokenSession) -> None:
        self._sessions = {key: each for key, each in self._sessions.items() if each is not session}

    def _surplus(self, user: str) -> list[TokenSession]:
        """Remove the pages that have to end for one more of `user`, and return them.

        Raises:
            BusyError: browsers follow all that could end.
        """
        of_user = [session for session in self._sessions.values() if user and session.user == user]
        surplus = []
        if len(of_user) >= self._room.most_of_user:
            surplus.append(_oldest(of_user, f"{user} has {len(of_user)} pages open already; close one"))
        elif len(self._sessions) >= self._room.most:
            surplus.append(_oldest(self._sessions.values(), f"{len(self._sessions)} pages are open already; try it again later"))
        for session in surplus:
            self._remove(session)
        return surplus


def _oldest(sessions: Collection[TokenSession], words: str) -> TokenSession:
    """Return the session that was not used for the longest time.

    Raises:
        BusyError: browsers follow all of them; with these words.
    """
    oldest = min(sessions, key=lambda session: session.idle_since)
    if oldest.is_followed:
        raise BusyError(words)
    return oldest
