"""The engine's image: pods that ask for vLLM get a simulator that speaks its API."""

from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import INFERENCE
from e2e.cluster.forms import Form
from e2e.cluster.images import vllm
from e2e.cluster.installation import Installation


def install(_: Installation) -> None:
    """Nothing but the image is needed."""


ADDON = Addon(
    "vllm",
    "a stand-in for the vLLM image",
    install,
    folders=(INFERENCE,),
    images=(vllm,),
    forms=frozenset({Form.FULL}),
)
