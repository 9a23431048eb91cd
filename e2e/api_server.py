"""The API server of the local cluster, ended and started again."""

from e2e.cluster import LocalCluster
from e2e.waiting import until

PROGRAM = "kube-apiserver"


def crash(cluster: LocalCluster) -> None:
    """Kill it, start it, and wait until it is ready."""
    cluster.kill_program(PROGRAM)
    _start(cluster)


def restart(cluster: LocalCluster) -> None:
    """Stop it in an orderly way, start it, and wait until it is ready."""
    cluster.stop_program(PROGRAM)
    _start(cluster)


def _start(cluster: LocalCluster) -> None:
    # It serves after 2 s; but to be ready it reads its roles and bindings one by one, while all clients list everything anew. That takes
    # 5 to 11 s on two cores, and more than 60 were seen beside other tests.
    cluster.start_program(PROGRAM)
    answer = ""

    def is_ready() -> bool:
        nonlocal answer
        result = cluster.kubectl_result("get", "--raw", "/readyz?verbose")
        answer = f"{result.stdout}\n{result.stderr}"
        return result.returncode == 0

    try:
        until(is_ready, "the API server to be ready")
    except AssertionError as error:
        error.add_note(f"its last answer:\n{answer}")
        raise
