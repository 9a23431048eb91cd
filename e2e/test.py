"""`make test`: brings about what the tests of this machine need, then runs them.

As root on Linux that includes packages of the distribution and a real cluster; without root, the plane form.
"""

import os
import sys

from e2e.cluster import ClusterError, Form, addons, external
from e2e.cluster.fixtures import BARE
from e2e.cluster.start import prepare


def main() -> None:
    """Prepare and become pytest."""
    if not external.wanted():
        form = Form.FULL if os.geteuid() == 0 else Form.PLANE
        try:
            for each in dict.fromkeys([form, Form.PLANE]):
                names = [addons.ALL, *(BARE if each is Form.FULL else ())]
                prepare(each, addons.choose(names, each), install_packages=form is Form.FULL)
        except ClusterError as error:
            sys.exit(f"make test: {error}")
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *sys.argv[1:]])  # noqa: S606 - our own interpreter


if __name__ == "__main__":
    main()
