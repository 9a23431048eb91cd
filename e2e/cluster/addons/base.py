"""What an add-on is."""

from collections.abc import Callable
from dataclasses import dataclass

from e2e.cluster.catalog import GoFolder
from e2e.cluster.forms import Form
from e2e.cluster.installation import Installation
from e2e.cluster.oci import Image


@dataclass(frozen=True)
class Addon:
    """A part of the cluster that can be left out.

    `install` runs as soon as the API server is ready, the images are imported and the add-ons in `needs` are
    installed, in parallel with everything else.
    """

    name: str
    summary: str
    install: Callable[[Installation], None]
    needs: tuple[str, ...] = ()
    folders: tuple[GoFolder, ...] = ()
    images: tuple[Callable[[], Image], ...] = ()
    crds: tuple[tuple[GoFolder, str], ...] = ()
    """Folders and their assets with the CRDs that are installed, where these are always the same."""
    programs: tuple[str, ...] = ()
    """Programs of the distribution, by the names in `distribution`."""

    lasting: tuple[Callable[[], Image], ...] | None = None
    """What is the same at many starts, where `images` are other ones after each change of our own sources: images of their lower layers."""
    forms: frozenset[Form] = frozenset(Form)
    optional: bool = False
    """Whether it is installed only where it is asked for by name."""
