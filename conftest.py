"""Makes the clusters of e2e/cluster available to every test, and measures tests where that is asked for."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = ["e2e.cluster.fixtures", "e2e.costs", "pytester"]
