"""How many examples a property tries that needs more or fewer of them than most do."""

from hypothesis import settings

_USUAL = 100


def examples(whole: int) -> int:
    """Return how many of `whole` examples are tried: as large a share as of the usual number, which is a fifth with the profile `quick`."""
    return max(1, whole * settings().max_examples // _USUAL)
