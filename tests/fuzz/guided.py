"""One target under atheris, which chooses inputs by the code that they reach: `python -m tests.fuzz --engine atheris`."""

import sys

import atheris

with atheris.instrument_imports(include=["workspace_ctrl"]):
    from tests.fuzz.targets import TARGETS

target = TARGETS[sys.argv.pop(1)]
atheris.Setup(sys.argv, target.check)
atheris.Fuzz()
