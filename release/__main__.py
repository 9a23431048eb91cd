"""`python -m release`: `build` a release, `push` it to a registry, create a `key`, and write the `version` to where it has to be."""

import os
import sys
from pathlib import Path

import click

from e2e.cluster.errors import ClusterError
from release import images
from release.build import Choices, write
from release.bundle import DIGESTS, PUBLIC_KEY, Bundle
from release.errors import ReleaseError
from release.push import digests, push
from release.registry import Registry, docker_login, host_of
from release.signing import Key
from release.source import exported
from release.version import stale

ROOT = Path(__file__).resolve().parent.parent
_ONLY_SIGNED = "only a signed release is pushed; create a key once with: .venv/bin/python -m release key ~/release.key"
_folder = click.option("--folder", type=click.Path(path_type=Path), default=ROOT / "dist", help="Folder of the release.")
_key = click.option("--key", type=click.Path(path_type=Path, exists=True), help="Private key for signatures (ECDSA P-256, PEM).")


@click.group(context_settings={"max_content_width": 100})
def main() -> None:
    """Make a release of the commit HEAD."""


@main.command("build")
@_folder
@_key
@click.option("--repository", type=click.Path(path_type=Path, exists=True), default=ROOT, help="The git repository.")
@click.option(
    "--registry", default="", help="Where it will be pushed to, host[/path]: the chart's default for its image. Needs a key."
)
@click.option(
    "--images", "how", type=click.Choice(["auto", images.DOCKER, images.LOCAL]), default="auto", help="How to build images."
)
@click.option("--flux-chart", type=click.Path(path_type=Path, exists=True), help="Folder with the chart in Chart.lock.")
@click.option("--pin-images", is_flag=True, help="Use the base images to which their tags point now, by digest (with Docker).")
@click.option("--allow-changes", is_flag=True, help="Build the commit although the working tree differs from it.")
def build_command(
    *,
    folder: Path,
    key: Path | None,
    repository: Path,
    registry: str,
    how: str,
    flux_chart: Path | None,
    pin_images: bool,
    allow_changes: bool,
) -> None:
    """Build packages, chart and images, with checksums, SBOMs, provenance and notes."""
    if registry:  # before what takes long
        host_of(registry)
        if key is None:
            raise ReleaseError(f"{_ONLY_SIGNED}, and name it: make release KEY=~/release.key; or build without a registry")
    how = images.available() if how == "auto" else how
    choices = Choices(how, registry.removeprefix("oci://"), flux_chart, pin_images, _builder(), _forge())
    with exported(repository, may_differ=allow_changes) as source:
        bundle = write(source, folder, Key(key) if key else None, choices)
    click.echo(f"release {bundle.version} in {folder}" + ("" if key else ", not signed: there is no key"))


@main.command("push")
@_folder
@_key
@click.option("--registry", required=True, help="Registry, host[/path].")
@click.option("--plain-http", is_flag=True, help="The registry has no TLS.")
def push_command(*, folder: Path, key: Path | None, registry: str, plain_http: bool) -> None:
    """Push images and chart of a built release, sign them, and print their digests."""
    if key is None or not (folder / PUBLIC_KEY).is_file():
        raise ReleaseError(f"{_ONLY_SIGNED}, and build the release with it: make release KEY=~/release.key")
    config = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "config.json"
    host = host_of(registry)
    signer = Key(key)
    if signer.public() != (folder / PUBLIC_KEY).read_bytes():
        raise ReleaseError(f"{key} is not the key that the release in {folder} is signed with")
    target = Registry(registry, plain_http=plain_http, login=docker_login(config, host))
    pushed = digests(push(Bundle(folder), target, signer))
    (folder / DIGESTS).write_text(pushed)
    click.echo(pushed, nl=False)


@main.command("key")
@click.argument("path", type=click.Path(path_type=Path))
def key_command(path: Path) -> None:
    """Create a private key in the file PATH, and print its public key."""
    click.echo(Key.create(path).public().decode(), nl=False)


@main.command("version")
@click.option("--check", is_flag=True, help="Write nothing; fail if a file has another version.")
def version_command(*, check: bool) -> None:
    """Write the version of pyproject.toml to where else it has to be."""
    for path, text in stale(ROOT).items():
        if check:
            raise ReleaseError(f"{path.relative_to(ROOT)} has another version than pyproject.toml; run: make generate")
        path.write_text(text)
        click.echo(path.relative_to(ROOT))


def _builder() -> str:
    """Return who builds, for the provenance: the workflow run, where there is one."""
    if "GITHUB_RUN_ID" not in os.environ:
        return "https://localhost/make-release"
    return f"{_forge()}/actions/runs/{os.environ['GITHUB_RUN_ID']}"


def _forge() -> str:
    """Return the page of the repository, which the workflow knows; else nothing."""
    server, repository = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    return f"{server}/{repository}" if server and repository else ""


if __name__ == "__main__":
    try:
        main()
    except (ReleaseError, ClusterError) as error:
        sys.exit(f"release: {error}")
