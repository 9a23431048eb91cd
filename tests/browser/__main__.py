"""Installs the browser, a package of the distribution, if it is missing: `python -m tests.browser`."""

import sys

from e2e.cluster.distribution import Package, ensure
from e2e.cluster.errors import ClusterError

if __name__ == "__main__":
    try:
        ensure([Package("chromium", "chromium")], install=True)
    except ClusterError as error:
        sys.exit(f"make test-addons: {error}")
