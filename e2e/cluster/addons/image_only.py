"""Add-ons that are nothing but an image, which pods of charts and tests ask for."""

from functools import partial

from e2e.cluster import llm_d
from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import FLUX, INFERENCE, ISTIO, PICKERS_OF_OLD
from e2e.cluster.forms import Form
from e2e.cluster.images import (
    body_based_router,
    counting_vllm,
    endpoint_picker,
    helm_controller,
    istio_pilot,
    istio_proxy,
    llama_cpp_server,
    llama_cpp_standin,
    llm_d_endpoint_picker,
    source_controller,
    vllm,
)
from e2e.cluster.installation import Installation


def install(_: Installation) -> None:
    """Nothing but the image is needed."""


ENDPOINT_PICKER = Addon(
    "endpoint-picker",
    "the image that the chart inferencepool asks for",
    install,
    folders=(INFERENCE,),
    images=(endpoint_picker,),
    forms=frozenset({Form.FULL}),
)
ENDPOINT_PICKERS_OF_OLD = Addon(
    "endpoint-pickers-of-old",
    "the images that earlier versions of the chart inferencepool ask for",
    install,
    folders=PICKERS_OF_OLD,
    images=tuple(partial(endpoint_picker, folder) for folder in PICKERS_OF_OLD),
    forms=frozenset({Form.FULL}),
    optional=True,
)
LLM_D_ENDPOINT_PICKERS = Addon(
    "llm-d-endpoint-pickers",
    "stand-ins for the images that the chart llm-d-router-gateway asks for",
    install,
    folders=(INFERENCE,),
    images=tuple(partial(llm_d_endpoint_picker, version) for version in llm_d.VERSIONS),
    forms=frozenset({Form.FULL}),
    optional=True,
)
BODY_ROUTER = Addon(
    "body-based-router",
    "the image that the chart body-based-routing asks for",
    install,
    folders=(INFERENCE,),
    images=(body_based_router,),
    forms=frozenset({Form.FULL}),
)
VLLM = Addon(
    "vllm",
    "a stand-in for the vLLM image, and one that counts its requests",
    install,
    folders=(INFERENCE,),
    images=(vllm, counting_vllm),
    programs=("mmdebstrap",),
    forms=frozenset({Form.FULL}),
)
FLUX_CONTROLLERS = Addon(
    "flux-images",
    "Flux's controllers as images, for a chart that installs them",
    install,
    folders=(FLUX,),
    images=(source_controller, helm_controller),
    forms=frozenset({Form.FULL}),
    optional=True,
)
LLAMA_CPP = Addon(
    "llama-cpp",
    "llama.cpp's server with a tiny model",
    install,
    images=(llama_cpp_server,),
    programs=("g++", "cmake", "ninja"),
    forms=frozenset({Form.FULL}),
    optional=True,
)
LLAMA_CPP_STANDIN = Addon(
    "llama-cpp-standin",
    "a stand-in for llama.cpp's image of the examples",
    install,
    folders=(INFERENCE,),
    images=(llama_cpp_standin,),
    forms=frozenset({Form.FULL}),
    optional=True,
)
ISTIO_IMAGES = Addon(
    "istio-images",
    "Istio's images, for a user who installs it",
    install,
    folders=(ISTIO,),
    images=(istio_pilot, istio_proxy),
    forms=frozenset({Form.FULL}),
    optional=True,
)
