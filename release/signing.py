"""Signatures with a key, in the forms that `cosign verify --key` and `cosign verify-blob --key` accept; made by openssl.

The key is an ECDSA key on the curve P-256 in PEM, as `cosign import-key-pair` takes one too; an encrypted one needs its password in the
environment variable RELEASE_KEY_PASSWORD.
"""

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from release.errors import ReleaseError
from release.oci import Artifact, to_json
from release.programs import ProgramError, run

_PASSWORD_VARIABLE = "RELEASE_KEY_PASSWORD"  # noqa: S105 - the name of a variable
IN_TOTO = "application/vnd.in-toto+json"
_CURVE = "prime256v1"


@dataclass(frozen=True)
class Key:
    """A private key in a file."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> "Key":
        """Create one that is not encrypted, readable by its owner only.

        Raises:
            ReleaseError: the file exists.
        """
        if path.exists():
            raise ReleaseError(f"{path} exists already")
        made = run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{_CURVE}"])
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(made)
        return cls(path)

    def public(self) -> bytes:
        """Return the public key in PEM.

        Raises:
            ReleaseError: it cannot be read, or is no key on the curve P-256.
        """
        try:
            text = run(["openssl", "pkey", "-in", self.path, *self._password(), "-pubout", "-text"]).decode()
        except ProgramError as error:
            way_out = f"an encrypted one needs its password in {_PASSWORD_VARIABLE}"
            raise ReleaseError(f"{self.path} cannot be read as a private key; {way_out}: {error}") from error
        if _CURVE not in text:
            raise ReleaseError(f"{self.path} is no ECDSA key on the curve P-256")
        return run(["openssl", "pkey", "-in", self.path, *self._password(), "-pubout"])

    def sign(self, content: bytes) -> bytes:
        """Return the signature of some bytes: ECDSA over their SHA-256, in ASN.1."""
        return run(["openssl", "dgst", "-sha256", "-sign", self.path, *self._password()], stdin=content)

    def has_signed(self, content: bytes, signature: bytes) -> bool:
        """Return whether that is a signature of these bytes by this key.

        Raises:
            ReleaseError: the key cannot be read.
        """
        self.public()  # openssl says no also when it cannot read the key
        with NamedTemporaryFile() as file:
            file.write(signature)
            file.flush()
            given: list[str | Path] = ["-prverify", self.path, "-signature", Path(file.name), *self._password()]
            try:
                run(["openssl", "dgst", "-sha256", *given], stdin=content)
            except ProgramError:
                return False
        return True

    @staticmethod
    def _password() -> list[str]:
        return ["-passin", f"env:{_PASSWORD_VARIABLE}"] if os.environ.get(_PASSWORD_VARIABLE) else []


def blob_signature(key: Key, content: bytes) -> bytes:
    """Return a signature of a file as `cosign verify-blob --signature` reads it."""
    return base64.b64encode(key.sign(content)) + b"\n"


def simple_signing(artifact: Artifact, name: str) -> bytes:
    """Return the payload that is signed for an artifact of that name: which digest it has."""
    return to_json(
        {
            "critical": {
                "identity": {"docker-reference": name},
                "image": {"docker-manifest-digest": artifact.digest},
                "type": "cosign container image signature",
            },
            "optional": None,
        }
    )


def envelope(key: Key, statement: bytes) -> bytes:
    """Return an in-toto statement in a signed DSSE envelope, as `cosign verify-attestation` and `verify-blob-attestation` read it."""
    encoded = b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(statement), statement)
    signed = {"keyid": "", "sig": base64.b64encode(key.sign(encoded)).decode()}
    return to_json({"payloadType": IN_TOTO, "payload": base64.b64encode(statement).decode(), "signatures": [signed]})


def payload_of(signed: bytes) -> bytes:
    """Return the statement in an envelope."""
    return base64.b64decode(json.loads(signed)["payload"])
