"""`make fuzz`: searches for inputs that break a property, for a given time, and keeps them in the corpus."""

import argparse
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
import traceback

from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded

from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS, Target

_EXAMPLES = 400
"""Examples of one round; each round has another seed."""
_BASE_SECONDS, _SECONDS_PER_BYTE, _TRIES = 0.25, 20e-6, 3
"""An input may take this much processor time: what grows faster than its length is found once it is long enough."""


class TooSlowError(Exception):
    """An input takes more time than its length explains."""


class Search:
    """The search of one target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.examples, self.slowest = 0, (0.0, 0)
        self.last = b""

    def check(self, data: bytes) -> None:
        """Check one input, and how long it takes; the shortest of three times counts."""
        self.last = data
        self.examples += 1
        allowed = _BASE_SECONDS + _SECONDS_PER_BYTE * len(data)
        for _ in range(_TRIES):
            begin = time.process_time()
            self._target.check(data)
            took = time.process_time() - begin
            self.slowest = max(self.slowest, (took, len(data)))
            if took <= allowed:
                return
        raise TooSlowError(f"{took:.2f} s of processor time for {len(data)} bytes")

    def run(self, seconds: float, seed: int) -> bool:
        """Search for `seconds`; return whether nothing was found. A smallest input that breaks the property is kept."""
        end, chance = time.monotonic() + seconds, random.Random(seed)  # noqa: S311 - to be repeatable
        quiet = settings(max_examples=_EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        try:
            for path in corpus.entries(self._target.name):
                self.check(path.read_bytes())
            while time.monotonic() < end:
                seeded(chance.getrandbits(64))(quiet(given(self._target.inputs)(self.check)))()
        except Exception:  # noqa: BLE001 - that is what is looked for
            traceback.print_exc()
            path = corpus.keep(self._target.name, self.last)
            print(
                f"{self._target.name}: broken by {path or f'an input of {len(self.last)} bytes, too large to keep'}: {self.last[:200]!r}"
            )
            return False
        return True


def _with_coverage(target: Target, seconds: float) -> bool:
    """Search with atheris, in a process of its own: it ends the process when it has found something."""
    if importlib.util.find_spec("atheris") is None:
        sys.exit("atheris is not installed: pip install --require-hashes -r requirements/fuzz.txt")
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.guided",
        target.name,
        f"-max_total_time={int(seconds)}",
        "-max_len=4096",
        "-timeout=10",
    ]
    found = corpus.FOLDER / target.name
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tried:  # what reaches new code; only what breaks a property is kept
        command += [f"-artifact_prefix={found}/", tried, str(found)]
        return subprocess.run(command, check=False).returncode == 0


def main() -> None:
    """Search each target for an equal part of the time."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all if none is given")
    options.add_argument("--seconds", type=float, default=20.0, help="for each target")
    options.add_argument("--seed", type=int, default=None, help="to repeat a search")
    options.add_argument("--engine", choices=["hypothesis", "atheris"], default="hypothesis")
    given_ = options.parse_args()
    unknown = set(given_.targets) - set(TARGETS)
    if unknown:
        options.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    seed = given_.seed if given_.seed is not None else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}, {given_.seconds:.0f} s for each target", flush=True)
    broken = []
    for name in given_.targets or TARGETS:
        if given_.engine == "atheris":
            good = _with_coverage(TARGETS[name], given_.seconds)
        else:
            search = Search(TARGETS[name])
            good = search.run(given_.seconds, seed)
            took, size = search.slowest
            print(f"{name}: {search.examples} inputs, the slowest {took * 1000:.0f} ms for {size} bytes", flush=True)
        if not good:
            broken.append(name)
    sys.exit(f"broken: {', '.join(broken)}" if broken else 0)


if __name__ == "__main__":
    main()
