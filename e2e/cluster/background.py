"""The entry of the processes that stay: `python -m e2e.cluster.background keeper|supervisor NAME`."""

import sys

from e2e.cluster import keeper, supervisor

MAINS = {"keeper": keeper.main, "supervisor": supervisor.main}

if __name__ == "__main__":
    MAINS[sys.argv[1]](sys.argv[2])
