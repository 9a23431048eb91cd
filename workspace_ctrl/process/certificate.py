"""A server certificate in the files of a mounted Secret, which may be created or renewed later."""

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 2.0
_RENEW_SECONDS: Final = 10.0


class Certificate:
    """Its `context` serves the newest certificate that could be loaded."""

    def __init__(self, folder: Path, missing: str) -> None:
        """Read `tls.crt` and `tls.key` in `folder`; `missing` says what does not work without them."""
        self._files = (folder / "tls.crt", folder / "tls.key")
        self._missing = missing
        self._loaded: tuple[int, ...] = ()
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)

    async def wait(self) -> None:
        """Load the certificate as soon as it exists."""
        problem = await asyncio.to_thread(self._load)
        if problem:
            logger.warning("%s; %s until there is a certificate", problem, self._missing)
        while problem:
            await asyncio.sleep(_RETRY_SECONDS)
            problem = await asyncio.to_thread(self._load)

    async def renew(self) -> None:
        """Load the certificate if it has changed; new connections get it."""
        problem = await asyncio.to_thread(self._load)
        if problem:
            logger.warning("%s; still serving with the previous certificate", problem)

    async def keep_current(self) -> None:
        """Load the certificate as soon as it exists, and again whenever it was renewed, until cancelled."""
        await self.wait()
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            await self.renew()

    def _load(self) -> str:
        """Load the files if they have changed; return the error, empty if there is none."""
        try:
            stamp = tuple(file.stat().st_mtime_ns for file in self._files)
            if stamp != self._loaded:
                self.context.load_cert_chain(*self._files)
                self._loaded = stamp
        except (OSError, ssl.SSLError) as error:
            return f"certificate {self._files[0]}: {error.strerror or error}"
        return ""
