"""A certificate for servers of probes."""

import ssl
import subprocess

import pytest


@pytest.fixture
def certificate(tmp_path):
    """A certificate for m.example.com that signs itself: (server's context, PEM)."""
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    name = ["-subj", "/CN=test", "-addext", "subjectAltName=DNS:m.example.com"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *files, *name]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return context, (tmp_path / "certificate.pem").read_text()
