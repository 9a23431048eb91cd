"""What a pod of the controller imports to reach the API server."""

import subprocess
import sys


def test_a_pod_does_without_the_classes_of_the_whole_kubernetes_api(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text("certificate")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    program = (
        "import sys; from pathlib import Path\n"
        "import workspace_ctrl.cli.main, workspace_ctrl.cli.run, workspace_ctrl.process.kopf_process\n"
        "from workspace_ctrl.kube.access.pod import PodAccess\n"
        f"PodAccess(Path({str(tmp_path)!r})).authorization()\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'kubernetes'])\n"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
