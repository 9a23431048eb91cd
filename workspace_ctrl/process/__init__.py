"""The process: kopf, admission webhook, leader election, health, metrics, log."""

import sys


def _import_kopf() -> None:
    """Import kopf as where the `kubernetes` package is not installed, which is optional for it.

    It would import all classes of that package, 14 MiB, to recognise two of them in calls that are not made here.
    """
    if "kubernetes" in sys.modules:
        return
    sys.modules["kubernetes"] = None  # type: ignore[assignment] # as importlib documents it: the import fails
    try:
        import kopf  # noqa: F401, PLC0415
    finally:
        del sys.modules["kubernetes"]


_import_kopf()
