"""What `make release` builds and pushes is what is installed here: chart and images come from the registry, and serve."""

import filecmp
import hashlib
import json
import subprocess
import tarfile

import pytest
import yaml

from e2e import workspaces
from e2e.cluster import LocalCluster, own_image
from e2e.cluster.chart import NAME, chart
from e2e.cluster.debian import python_layer, write_python_layer
from e2e.cluster.own_image import modules_layer, packages_layer, version, write_modules_layer, write_packages_layer
from e2e.cluster.places import PYTHON, REPOSITORY
from e2e.release import GATE, NAMESPACE, wait_answered
from release.chart import helm
from tests.release.committed import committed

MODULE = (str(PYTHON), "-m", "release")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """This working tree as a commit."""
    return committed(tmp_path_factory.mktemp("release") / "repository")


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("key") / "release.key"
    subprocess.run([*MODULE, "key", path], cwd=REPOSITORY, check=True, capture_output=True)
    return path


def build(repository, folder, key, registry):
    """What `make release KEY=... REGISTRY=...` builds, with the stand-in for Flux's chart."""
    options = ["--repository", repository, "--folder", folder, "--key", key, "--registry", registry, "--images", "local"]
    command = [*MODULE, "build", *options, "--flux-chart", chart() / "charts" / "flux2"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert not result.returncode, result.stderr
    return folder


@pytest.fixture(scope="module")
def place(bare_cluster: LocalCluster):
    """Where in the cluster's own registry the release is pushed."""
    return f"{bare_cluster.settings.registry}/released"


@pytest.fixture(scope="module")
def built(repository, key, place, tmp_path_factory):
    return build(repository, tmp_path_factory.mktemp("built") / "dist", key, place)


@pytest.fixture(scope="module")
def pushed(bare_cluster, built, key, place):
    """Name and tag → digest."""
    # The registry is reached from inside the cluster only.
    command = [*MODULE, "push", "--folder", str(built), "--key", str(key), "--registry", place, "--plain-http"]
    result = bare_cluster.run(command)
    assert not result.returncode, result.stderr
    assert (built / "digests.txt").read_text() == result.stdout
    return dict(line.split("@") for line in result.stdout.split())


def pull(cluster, place, folder):
    """The chart, as a user gets it."""
    command = [helm(), "pull", f"oci://{place}/charts/{NAME}", "--version", version(), "--plain-http", "--destination", str(folder)]
    result = cluster.run(command)
    assert not result.returncode, result.stderr
    return folder / f"{NAME}-{version()}.tgz"


def images_of(cluster):
    """What the pods of the release run."""
    pods = workspaces.items(cluster, NAMESPACE, "pods", "app.kubernetes.io/instance=workspace-ctrl")
    return {status["imageID"] for pod in pods for status in pod["status"]["containerStatuses"] if status["ready"]}


@pytest.mark.parametrize(
    ("suffix", "more"), [("", {}), ("-with-helm", {"chartCheck": {"enabled": True}})], ids=["plain", "with helm"]
)
def test_chart_and_image_are_installed_from_the_registry_and_serve(release, team, behind, pushed, place, tmp_path, suffix, more):
    cluster, tag = release.cluster, f"{version()}{suffix}"
    archive = pull(cluster, place, tmp_path)
    shown = subprocess.run([helm(), "show", "values", archive], capture_output=True, text=True, check=True).stdout
    image = yaml.safe_load(shown)["image"]
    assert image["repository"] == f"{place}/workspace-ctrl"
    release.upgrade(GATE, {"image": {**image, "tag": tag if suffix else ""}}, more, package=archive)
    assert {found.rpartition("@")[2] for found in images_of(cluster)} == {pushed[f"{place}/workspace-ctrl:{tag}"]}
    workspaces.apply(cluster, team, workspaces.workspace("phi", gateway=behind))
    workspaces.wait_ready(cluster, team, "phi", "Ready")
    wait_answered(cluster, team, "phi", "phi-4-mini-instruct")


def test_images_and_chart_have_a_signature_and_a_provenance_beside_them(bare_cluster, pushed, place):
    assert len(pushed) == 3
    for name, digest in pushed.items():
        path = name.removeprefix(f"{bare_cluster.settings.registry}/").rpartition(":")[0]
        for ending, media_type in (("sig", "simplesigning.v1+json"), ("att", "dsse.envelope.v1+json")):
            url = f"http://{bare_cluster.settings.registry}/v2/{path}/manifests/{digest.replace(':', '-')}.{ending}"
            found = bare_cluster.run(
                ["curl", "--fail", "--silent", "-H", "Accept: application/vnd.oci.image.manifest.v1+json", url]
            )
            (layer,) = json.loads(found.stdout)["layers"]
            assert layer["mediaType"].endswith(media_type)


def test_the_files_are_those_of_the_signed_checksums(built):
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=built, check=True, capture_output=True)
    listed = {line.split()[1] for line in (built / "SHA256SUMS").read_text().splitlines()}
    about = {f"{NAME}-{version()}.tgz", f"workspace_ctrl-{version()}-py3-none-any.whl", f"workspace_ctrl-{version()}.tar.gz"}
    bills = {f"{NAME}-{version()}{suffix}.sbom.cdx.json" for suffix in ("", "-with-helm")}
    assert about | bills | {"release-notes.md", "provenance.json", "provenance.intoto.json", "release.pub"} <= listed
    for name in ("SHA256SUMS", *listed):
        signature = built / "signature"
        decoded = subprocess.run(["base64", "--decode", f"{name}.sig"], cwd=built, check=True, capture_output=True).stdout
        signature.write_bytes(decoded)
        command = ["openssl", "dgst", "-sha256", "-verify", "release.pub", "-signature", "signature", name]
        subprocess.run(command, cwd=built, check=True, capture_output=True)
        signature.unlink()


def test_the_bill_of_the_image_with_helm_has_helm_as_well(built):
    plain, helm_too = (
        {part["name"] for part in json.loads((built / f"{NAME}-{version()}{suffix}.sbom.cdx.json").read_text())["components"]}
        for suffix in ("", "-with-helm")
    )
    assert helm_too - plain == {"helm"}
    assert plain - helm_too == set()


def digests(folder):
    """Of all that has no signature in it."""
    signed = {".sig", ".pub"}
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in signed]
    left_out = {"SHA256SUMS", "provenance.intoto.json", "digests.txt"}
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.name not in left_out
    }


def test_built_again_everything_has_the_same_bytes_also_the_images(repository, built, key, place, tmp_path):
    again = build(repository, tmp_path / "dist", key, place)
    first = digests(built)
    assert digests(again) == first
    assert sum(name.startswith("images/") for name in first) > 8


@pytest.mark.usefixtures("bare_cluster")
def test_a_layer_that_is_made_anew_has_the_same_bytes(tmp_path, monkeypatch):
    """Else the digest of an image would depend on the machine whose cache it was built from.

    The packages are installed by a Python at another path; what Debian has changes, so its layer is compared with one of the same hour.
    """
    (tmp_path / "venv").symlink_to(PYTHON.parent.parent)
    monkeypatch.setattr(own_image, "PYTHON", tmp_path / "venv" / "bin" / PYTHON.name)
    write_packages_layer(python_layer(), REPOSITORY, tmp_path / "root", tmp_path / "packages.tar")
    assert differences(packages_layer(), tmp_path / "packages.tar") == []
    write_modules_layer(python_layer(), REPOSITORY / "workspace_ctrl", tmp_path / "modules", tmp_path / "modules.tar")
    assert differences(modules_layer(), tmp_path / "modules.tar") == []
    for name in ("first.tar", "second.tar"):
        write_python_layer(tmp_path / name)
    assert differences(tmp_path / "first.tar", tmp_path / "second.tar") == []


def differences(one, other):
    """Return which members of two archives differ, the order of all included; empty for the same bytes."""
    if filecmp.cmp(one, other, shallow=False):
        return []
    members = [list(digests_of_members(path)) for path in (one, other)]
    return sorted({name for name, _ in set(members[0]) ^ set(members[1])}) or ["the order or the headers of members"]


def digests_of_members(path):
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            content = hashlib.sha256(file.read()).hexdigest() if file else member.linkname
            yield member.name, (content, member.mode, member.uid, member.gid, member.mtime)
