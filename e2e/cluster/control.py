"""Orders to a cluster's supervisor, and the check that none of its programs has died."""

import json
from typing import Any

from e2e.cluster import unixsocket
from e2e.cluster.errors import ClusterError, ProgramDiedError
from e2e.cluster.places import ClusterPlaces
from e2e.cluster.program import Program, ProgramStatus, State, tail

ANSWER_SECONDS = 60.0


class Control:
    """The supervisor's socket. Every order is one connection, so any number of processes may give some."""

    def __init__(self, places: ClusterPlaces) -> None:
        self._places = places

    def start(self, program: Program) -> None:
        """Start a program; one of that name which runs already is left alone."""
        self._order(do="start", program=program.to_json())

    def restart(self, name: str) -> None:
        """Start a program again that has been started before."""
        self._order(do="restart", name=name)

    def stop(self, name: str) -> None:
        """Stop a program and wait until it is gone."""
        self._order(do="stop", name=name)

    def kill(self, name: str) -> None:
        """End a program at once, as if it had crashed, and wait until it is gone."""
        self._order(do="kill", name=name)

    def status(self) -> list[ProgramStatus]:
        """Return what became of each program."""
        return [ProgramStatus.from_json(entry) for entry in self._order(do="status")["programs"]]

    def check(self) -> None:
        """Raise for the first program that has died, with the end of its log."""
        for program in self.status():
            if program.state is State.DIED:
                raise ProgramDiedError(program.name, program.code, tail(self._places.log(program.name)))

    def _order(self, **order: object) -> dict[str, Any]:
        try:
            with unixsocket.connected(self._places.control_socket, ANSWER_SECONDS) as connection:
                connection.sendall(json.dumps(order).encode() + b"\n")
                with connection.makefile() as query_results:
                    answer: dict[str, Any] = json.loads(query_results.readline() or "{}")
        except OSError as error:
            raise ClusterError(f"the supervisor of {self._places.name} does not answer: {error}") from error
        if "programs" not in answer:
            raise ClusterError(f"the supervisor refused: {answer.get('error', 'no answer')}")
        return answer
