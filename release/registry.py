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
from release.programs import ProgramError, run

_SECONDS = 300.0
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_ELSEWHERE = frozenset({301, 302, 303, 307, 308})
"""Status codes of a blob that is stored elsewhere: it is there."""
_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_NOT_FOUND = "credentials not found"
"""What a program that keeps credentials for Docker prints when it has none."""
_IDENTITY_TOKEN = "<token>"  # noqa: S105 - the name of the user where the secret is such a token


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: credentials would go along to wherever it leads."""

    def redirect_request(self, *_: object) -> None:
        """Return no request."""


_OPENER = urllib.request.build_opener(_NoRedirects)


def host_of(address: str) -> str:
    """Return `host[:port]` of the address of a registry.

    Raises:
        ReleaseError: it is Docker Hub, whose names have two parts, and whose API is at another host.
    """
    host = address.removeprefix("oci://").strip("/").partition("/")[0]
    if host.partition(":")[0].lower() in _DOCKER_HUB:
        raise ReleaseError(
            "a release is not pushed to Docker Hub: names there have two parts, OWNER/NAME, and that of the chart would be "
            "OWNER/charts/workspace-ctrl; choose another registry, such as ghcr.io/OWNER"
        )
    return host


class Registry:
    """A registry at `host[:port]`; `path` is what all repositories in it begin with."""

    def __init__(self, address: str, *, plain_http: bool = False, login: str = "") -> None:
        """Prepare to push; `login` is `user:password`, or empty for a registry without one.

        Raises:
            ReleaseError: it is Docker Hub.
        """
        self.host = host_of(address)
        path = address.removeprefix("oci://").strip("/").partition("/")[2]
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
            with _OPENER.open(request, timeout=_SECONDS) as response:
                return str(response.headers.get("Location", ""))
        except urllib.error.HTTPError as error:
            if method == "HEAD" and error.code == HTTPStatus.NOT_FOUND:
                raise _MissingError from error
            if method == "HEAD" and error.code in _ELSEWHERE:
                return ""
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
        # For a blob that is looked for, registries ask for the right to pull; the push comes next.
        asked["scope"] = re.sub(":pull$", ":pull,push", asked.get("scope", ""))
        query = urllib.parse.urlencode({key: asked[key] for key in ("service", "scope") if asked.get(key)})
        url = f"{asked['realm']}?{query}"
        if urllib.parse.urlsplit(url).scheme not in {"https", urllib.parse.urlsplit(self._base).scheme}:
            raise ReleaseError(f"{self.host} asks for the credentials to be sent to {asked['realm']}, without TLS")
        request = urllib.request.Request(url, headers={"Authorization": basic} if basic else {})  # noqa: S310 - checked above
        try:
            with _OPENER.open(request, timeout=_SECONDS) as response:
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
    """Return what `docker login` has stored for a registry, as `user:password`; empty if there is nothing.

    Docker stores it in its configuration, or, where that names one, in a program that keeps credentials.

    Raises:
        ReleaseError: that program is missing or fails, or it is an identity token, which is no password.
    """
    if not config.is_file():
        return ""
    settings = json.loads(config.read_text())
    store = settings.get("credHelpers", {}).get(host, settings.get("credsStore", ""))
    if store:
        return _stored(f"docker-credential-{store}", host)
    known = settings.get("auths", {})
    entry = known.get(host) or known.get(f"https://{host}") or {}
    if entry.get("identitytoken"):
        raise _no_password(str(config), host)
    return base64.b64decode(entry.get("auth", "")).decode()


def _stored(program: str, host: str) -> str:
    """Return what a program that keeps credentials has for a registry."""
    try:
        answer = json.loads(run([program, "get"], stdin=host.encode()))
        user, secret = answer["Username"], answer["Secret"]
    except ProgramError as error:
        if _NOT_FOUND in error.printed:
            return ""
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{program} gives no user and password for {host}; log in anew with: docker login {host}") from error
    if user == _IDENTITY_TOKEN:
        raise _no_password(program, host)
    return f"{user}:{secret}"


def _no_password(place: str, host: str) -> ReleaseError:
    return ReleaseError(
        f"{place} has an identity token for {host}, and only a password or an access token can be used here; "
        f"log in with one: docker logout {host}; docker login --username USER {host}"
    )
