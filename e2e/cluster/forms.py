"""The two forms of a local cluster."""

from enum import StrEnum


class Form(StrEnum):
    """How much of a cluster there is."""

    FULL = "full"
    """A node with a real kubelet and real pods, in namespaces of its own; needs root on Linux."""

    PLANE = "plane"
    """The control plane and Flux on loopback ports, with a simulated node; needs no rights at all."""
