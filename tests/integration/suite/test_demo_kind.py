"""`make demo-kind`, with stand-ins for the programs that it calls.

No machine of these tests has Docker, so the real programs have never run here. The stand-ins print what documentation and source of kind
(v0.32), Docker, kubectl, Helm and istioctl say that they print, and fail where they are called in another way. So this shows that the page
is followed in its order and to its end, that what it shows is their output, and that a failure is said with its line.
"""

import os

import pytest

from e2e import quickstart
from e2e.cluster.own_image import version

IMAGE = f"localhost/workspace-ctrl:{version()}"
DOCTOR = next(step.printed for step in quickstart.steps() if step.command == "workspace-ctrl doctor").replace("...", "etc.")
UNKNOWN = '*) echo "unknown: $*" >&2; exit 1 ;;\nesac\n'
KIND = f"""case "$*" in
"create cluster --name models") cat >&2 <<'END'
Creating cluster "models" ...
 • Ensuring node image (kindest/node:v1.36.1) 🖼  ...
 ✓ Ensuring node image (kindest/node:v1.36.1) 🖼
Set kubectl context to "kind-models"
You can now use your cluster with:

kubectl cluster-info --context kind-models

Have a nice day! 👋
END
;;
"get clusters") echo 'No kind clusters found.' >&2 ;;
"load docker-image {IMAGE} --name models")
  echo 'Image: "{IMAGE}" with ID "sha256:0123" not yet present on node "models-control-plane", loading...' >&2 ;;
{UNKNOWN}"""
DOCKER = f"""case "$*" in
version) echo 'Client: Docker Engine - Community' ;;
"build --target controller --build-arg VERSION={version()} --build-arg REVISION="*" --tag {IMAGE} .")
  printf '#1 [internal] load build definition from Dockerfile\\n#9 naming to {IMAGE} done\\n' >&2 ;;
{UNKNOWN}"""
KUBECTL = f"""case "$*" in
"apply --server-side -f https://"*/gateway-api/*) cat <<'END'
customresourcedefinition.apiextensions.k8s.io/gatewayclasses.gateway.networking.k8s.io serverside-applied
customresourcedefinition.apiextensions.k8s.io/gateways.gateway.networking.k8s.io serverside-applied
customresourcedefinition.apiextensions.k8s.io/httproutes.gateway.networking.k8s.io serverside-applied
END
;;
"apply --server-side -f https://"*/gateway-api-inference-extension/*)
  echo 'customresourcedefinition.apiextensions.k8s.io/inferencepools.inference.networking.k8s.io serverside-applied' ;;
"apply -f examples/quickstart/gateway.yaml") echo 'gateway.gateway.networking.k8s.io/inference-gateway created' ;;
"wait gateway/inference-gateway --for=condition=Programmed --timeout=2m")
  echo 'gateway.gateway.networking.k8s.io/inference-gateway condition met' ;;
"apply -f examples/own-pods/") printf 'deployment.apps/llama created\\nworkspace.kaito.sh/llama created\\n' ;;
"port-forward service/inference-gateway-istio 8080:80") exec sleep 60 ;;
{UNKNOWN}"""
HELM = f"""case "$*" in
"dependency build charts/workspace-ctrl") echo 'Saving 1 charts' ;;
"package charts/workspace-ctrl --destination dist") echo 'Successfully packaged chart and saved it to: dist/x.tgz' ;;
"upgrade --install workspace-ctrl dist/workspace-ctrl-{version()}.tgz "*" --wait") cat <<'END'
Release "workspace-ctrl" does not exist. Installing it now.
NAME: workspace-ctrl
NOTES:
workspace-ctrl {version()} reconciles all Workspaces.

WARNING: nodes do not pull {IMAGE}: no registry has it. Unless it was loaded onto every node, push it
to a registry, and set image.repository.
END
;;
{UNKNOWN}"""
ISTIOCTL = f"""case "$*" in
"install --skip-confirmation --set profile=minimal --set values.pilot.env.ENABLE_GATEWAY_API_INFERENCE_EXTENSION=true")
  printf '✔ Istio core installed ⛵️\\n✔ Istiod installed 🧠\\n✔ Installation complete\\n' ;;
{UNKNOWN}"""
OURS = f"""case "$*" in
doctor) cat <<'END'
{DOCTOR}END
;;
"status llama --watch") printf '✔ GatewayReady answered\\nURL http://inference-gateway-istio.default.svc.cluster.local/default/llama\\n' ;;
"chat llama Why is the sky blue?") printf 'It scatters.\\npod llama-1; first words after 0.4 s, all after 2.1 s; by the API server\\n' ;;
{UNKNOWN}"""
CURL = """until grep -q port-forward "${0%/*}/calls"; do sleep 0.01; done
echo '{"id": "1", "choices": [{"message": {"content": "It scatters."}}]}'\n"""
STAND_INS = {
    "kind": KIND,
    "docker": DOCKER,
    "kubectl": KUBECTL,
    "helm": HELM,
    "istioctl": ISTIOCTL,
    "workspace-ctrl": OURS,
    "curl": CURL,
}


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder with the stand-ins, before all else on PATH; each call is a line of the file `calls` in it."""
    for name, text in STAND_INS.items():
        put(tmp_path, name, text)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr(quickstart, "PROGRAMS", tmp_path)
    return tmp_path


def put(folder, name, text):
    file = folder / name
    file.write_text(f'#!/bin/bash\necho "{name} $*" >> {folder}/calls\n{text}')
    file.chmod(0o755)


def calls(folder):
    file = folder / "calls"
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


def ended(capsys):
    """The words with which it ends."""
    with pytest.raises(SystemExit) as found:
        quickstart.main()
    capsys.readouterr()
    return str(found.value)


def test_the_page_is_followed_to_its_end(programs, capsys):
    quickstart.main()
    assert capsys.readouterr().out.endswith("To remove all of it: kind delete cluster --name models\n")
    *one_by_one, background, last = calls(programs)
    assert one_by_one == [
        *("docker", "kind"),  # whether it can begin
        *("kind", "kubectl", "kubectl", "istioctl", "docker", "kind", "helm", "helm", "helm", "kubectl", "kubectl"),
        *("workspace-ctrl", "kubectl", "workspace-ctrl", "workspace-ctrl"),
    ]
    assert {background, last} == {"kubectl", "curl"}


@pytest.mark.parametrize("program", ["kind", "istioctl"])
def test_a_missing_program_is_named_before_anything_is_made(programs, capsys, program):
    (programs / program).unlink()
    assert f"not on PATH: {program} (" in ended(capsys)
    assert calls(programs) == []


def test_a_docker_that_does_not_work_is_said_before_anything_is_made(programs, capsys):
    put(programs, "docker", "echo 'permission denied while trying to connect to the docker API' >&2; exit 1\n")
    assert "docker does not work: permission denied" in ended(capsys)
    assert calls(programs) == ["docker"]


def test_a_cluster_of_that_name_is_left_alone(programs, capsys):
    put(programs, "kind", "echo models\n")
    assert "kind has a cluster models already" in ended(capsys)
    assert calls(programs) == ["docker", "kind"]


def test_a_command_that_fails_ends_it_with_its_line_and_the_way_back(programs, capsys):
    put(programs, "istioctl", "echo 'Error: no such host' >&2; exit 1\n")
    words = ended(capsys)
    assert words.startswith("docs/quickstart.md, line ")
    assert "Error: no such host" in words
    assert "to begin again: kind delete cluster --name models" in words
    assert calls(programs)[-1] == "istioctl"


def test_other_output_than_that_of_the_page_ends_it(programs, capsys):
    put(programs, "workspace-ctrl", "echo '✘ CRDs            Workspace'\n")
    assert "where the guide shows:" in ended(capsys)
