"""`make mutants`: small changes of the code, each of which some test should notice.

A mutant is a module with one change, such as `<` in place of `<=`. The tests of its folder run on it, unit tests first; if all pass, it
has survived: either a test is missing, or the change has no effect. Those without an effect are listed in `without_effect.txt`, with the
reason.
"""

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]
"""Not that of `e2e.cluster`, which imports modules of the package: none may be imported before it is changed."""
