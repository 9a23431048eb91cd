"""Makes the clusters of e2e/cluster available to every test."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = ["e2e.cluster.fixtures"]
