"""What can go wrong, in words for the person at the terminal."""


class ClusterError(Exception):
    """A cluster cannot be started or used; the message says why and what helps."""


class MissingPackagesError(ClusterError):
    """Programs of the distribution are missing."""


class NotPossibleError(ClusterError):
    """This machine or user cannot run the form that was asked for."""


class MissingCapabilityError(ClusterError):
    """The kind of cluster at hand cannot do what was asked."""


class ProgramDiedError(ClusterError):
    """A program of the cluster has ended although nobody stopped it."""

    def __init__(self, program: str, code: int, tail: str) -> None:
        end = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        super().__init__(f"{program} {end}; the end of its log:\n{tail}")
        self.program = program
