"""Wheel, source distribution and chart: the same bytes each time, and what they are for works."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest
import yaml

from e2e.cluster.builder import build
from e2e.cluster.catalog import KUBERNETES
from e2e.cluster.chart import FLUX_STANDIN
from release.chart import about, write_chart
from release.errors import ReleaseError
from release.python_packages import write_packages


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    write_packages(source, folder)
    write_chart(source, folder, FLUX_STANDIN, "registry.example/workspace-ctrl")
    return folder


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_built_again_they_have_the_same_bytes(built, source, tmp_path):
    second = int(time.time())
    while int(time.time()) == second:  # archives have times in whole seconds
        time.sleep(0.05)
    write_packages(source, tmp_path)
    write_chart(source, tmp_path, FLUX_STANDIN, "registry.example/workspace-ctrl")
    assert digests(tmp_path) == digests(built)
    assert len(digests(built)) == 3


def test_the_only_time_in_the_archives_is_that_of_the_commit(built, source):
    for path in (*built.glob("*.tgz"), *built.glob("*.tar.gz")):
        with tarfile.open(path) as tar:
            assert {member.mtime for member in tar.getmembers()} == {source.epoch}
            assert {(member.uid, member.gid) for member in tar.getmembers()} == {(0, 0)}


def test_the_chart_has_the_version_its_dependency_and_the_image_that_is_pushed_with_it(built, source):
    (archive,) = built.glob("*.tgz")
    assert (about(archive)["version"], about(archive)["appVersion"]) == (source.version, source.version)
    with tarfile.open(archive) as tar:
        values = yaml.safe_load(tar.extractfile("workspace-ctrl/values.yaml"))
        assert "workspace-ctrl/charts/flux2/Chart.yaml" in tar.getnames()
    assert values["image"]["repository"] == "registry.example/workspace-ctrl"


def test_a_dependency_of_another_version_than_in_the_lock_is_refused(source, tmp_path):
    other = shutil.copytree(FLUX_STANDIN, tmp_path / "flux2")
    text = (other / "Chart.yaml").read_text()
    (other / "Chart.yaml").write_text(text.replace("version: 2.19.0", "version: 2.18.2"))
    with pytest.raises(ReleaseError, match=r"is flux2 2\.18\.2; Chart\.lock has"):
        write_chart(source, tmp_path, other)


def test_in_an_empty_environment_the_wheel_gives_both_commands(built, source, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    (wheel,) = built.glob("*.whl")
    installed = subprocess.run(
        [tmp_path / "venv/bin/pip", "install", "--quiet", wheel], capture_output=True, text=True, check=False
    )
    assert not installed.returncode, installed.stderr
    # Away from the repository, and with nothing of this environment.
    environment = {"PATH": f"{tmp_path / 'venv/bin'}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    def run(*command):
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    kubectl = build(KUBERNETES).binary("kubectl")
    assert run("workspace-ctrl", "--version") == run(kubectl, "workspace", "--version") == f"{source.version}\n"
    assert (
        run("workspace-ctrl", "crd", "workspace")
        == (source.root / "charts/workspace-ctrl/files/kaito.sh_workspaces.yaml").read_text()
    )
    assert "phi-4-mini-instruct" in run(kubectl, "workspace", "presets")


def test_the_wheel_has_the_files_of_the_page(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert "workspace_ctrl/cli/page/static/index.html" in archive.namelist()
