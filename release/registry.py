"""A push to a registry, by the API of the OCI distribution specification."""

import base64
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from release.errors import ReleaseError
from release.oci import MANIFEST, Artifact

_SECONDS = 300.0
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_DOCKER_HUB = "https://index.docker.io/v1/"


class Registry:
    """A registry at `host[:port]`; `path` is what all repositories in it begin with."""

    def __init__(self, address: str, *, plain_http: bool = False, login: str = "") -> None:
        """Prepare to push; `login` is `user:password`, or empty for a registry without one."""
        self.host, _, path = address.removeprefix("oci://").strip("/").partition("/")
        self._prefix = f"{path}/" if path else ""
        self._base = f"{'http' if plain_http else 'https'}://{self.host}"
        self._login = login
        self._authorization = ""

    def name(self, artifact: Artifact) -> str:
        """Return the artifact's name in this registry, without tag or digest."""
        return f"{self.host}/{self._prefix}{artifact.repository}"

    def push(self, artifact: Artifact) -> None:
        """Push an artifact: first the blobs that are missing, then the manifest.

        Raises:
            ReleaseError: the registry refuses.
        """
        repository = f"{self._base}/v2/{self._prefix}{artifact.repository}"
        for digest, content in artifact.blobs.items():
            if not self._has(f"{repository}/blobs/{digest}"):
                self._upload(repository, digest, content if isinstance(content, bytes) else content.read_bytes())
        self._send("PUT", f"{repository}/manifests/{artifact.tag}", artifact.manifest, {"Content-Type": MANIFEST})

    def _upload(self, repository: str, digest: str, content: bytes) -> None:
        location = self._send("POST", f"{repository}/blobs/uploads/", b"")
        url = urllib.parse.urljoin(f"{repository}/blobs/uploads/", location)
        url += f"{'&' if '?' in url else '?'}digest={urllib.parse.quote(digest)}"
        self._send("PUT", url, content, {"Content-Type": "application/octet-stream"})

    def _has(self, url: str) -> bool:
        try:
            self._send("HEAD", url)
        except _MissingError:
            return False
        return True

    def _send(self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> str:
        """Send a request, once more with credentials where they are asked for; return the header Location."""
        try:
            return self._request(method, url, body, headers or {})
        except _ChallengeError as challenge:
            self._authorization = self._answer(challenge.words)
        try:
            return self._request(method, url, body, headers or {})
        except _ChallengeError as challenge:
            raise ReleaseError(f"{self.host} does not accept the credentials; log in with: docker login {self.host}") from challenge

    def _request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> str:
        request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))  # noqa: S310 - http or https by our own words
        if self._authorization and urllib.parse.urlsplit(url).netloc == self.host:
            request.add_header("Authorization", self._authorization)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310 - as above
                return str(response.headers.get("Location", ""))
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND and method == "HEAD":
                raise _MissingError from error
            if error.code == HTTPStatus.UNAUTHORIZED:
                raise _ChallengeError(error.headers.get("WWW-Authenticate", "")) from error
            said = error.read(2000).decode(errors="replace").strip()
            raise ReleaseError(f"{method} {url}: {error.code} {error.reason}: {said}") from error
        except urllib.error.URLError as error:
            raise ReleaseError(f"{method} {url}: {error.reason}") from error

    def _answer(self, challenge: str) -> str:
        """Return the header for a challenge: the login itself, or the token that the named service gives for it."""
        basic = f"Basic {base64.b64encode(self._login.encode()).decode()}" if self._login else ""
        if not challenge.lower().startswith("bearer "):
            return basic
        asked = dict(_CHALLENGE.findall(challenge))
        query = urllib.parse.urlencode({key: asked[key] for key in ("service", "scope") if key in asked})
        url = f"{asked['realm']}?{query}"
        if urllib.parse.urlsplit(url).scheme not in {"https", urllib.parse.urlsplit(self._base).scheme}:
            raise ReleaseError(f"{self.host} asks for the credentials to be sent to {asked['realm']}, without TLS")
        request = urllib.request.Request(url, headers={"Authorization": basic} if basic else {})  # noqa: S310 - checked above
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310 - checked above
                given = json.load(response)
        except urllib.error.URLError as error:
            raise ReleaseError(f"{asked['realm']} gives no token for {self.host}: {error}; log in with: docker login") from error
        return f"Bearer {given.get('token') or given['access_token']}"


class _MissingError(Exception):
    """The registry does not have it."""


class _ChallengeError(Exception):
    """The registry wants credentials."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def docker_login(config: Path, host: str) -> str:
    """Return what `docker login` has written down for a registry, as `user:password`; empty if there is nothing."""
    if not config.is_file():
        return ""
    known = json.loads(config.read_text()).get("auths", {})
    entry = known.get(host) or known.get(f"https://{host}") or (known.get(_DOCKER_HUB, {}) if host == "docker.io" else {})
    return base64.b64decode(entry.get("auth", "")).decode()
