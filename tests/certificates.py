"""Self-signed certificates for servers of tests on this machine."""

import subprocess
from pathlib import Path


def make_certificate(folder: Path, name: str = "127.0.0.1", server: str = "IP:127.0.0.1") -> Path:
    """Write tls.crt and tls.key for `server`, issued to `name`, into `folder`, each in place of an older one; return the former."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {"tls.crt": folder / "new.crt", "tls.key": folder / "new.key"}
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={name}", "-addext", f"subjectAltName={server}"]
    subprocess.run([*command, "-keyout", made["tls.key"], "-out", made["tls.crt"]], check=True, capture_output=True)
    for target, path in made.items():
        path.replace(folder / target)
    return folder / "tls.crt"
