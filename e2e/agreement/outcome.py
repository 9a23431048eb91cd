"""What came of a fault, and whether that keeps the promise. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from e2e.agreement.timeline import Stretch, disagreement


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long condition and requests may disagree over one fault, in seconds; None where that is not promised."""

    true_while_failing: float | None
    false_while_working: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A fault from its injection until all was well again; all times in seconds."""

    fault: str
    witness: str
    bounds: Bounds
    failing: float
    """How long requests failed in all."""
    true_while_failing: float
    false_while_working: float
    told_after: float | None
    """From the injection until GatewayReady was False; None if it never was."""
    recovered_after: float
    """From the mending until requests were answered and GatewayReady was True for good; negative where it needed no mending."""
    story: str
    """What held when, for somebody who wants to know why."""

    def violations(self) -> Iterator[str]:
        """Yield what was promised and not kept."""
        for what, seconds, bound in (
            ("True while requests failed", self.true_while_failing, self.bounds.true_while_failing),
            ("False while requests were answered", self.false_while_working, self.bounds.false_while_working),
        ):
            if bound is not None and seconds > bound:
                yield f"{self.fault}: GatewayReady was {what} for {seconds:.1f} s; promised are at most {bound:g} s ({self.story})"


def outcome(fault: str, witness: str, bounds: Bounds, found: Sequence[Stretch], mended: float) -> Outcome:
    """Return what came of a fault that was injected at the start of the first stretch and mended at `mended`.

    The last stretch is the one in which all was well again.
    """
    differ = disagreement(found)
    start = found[0].start
    return Outcome(
        fault=fault,
        witness=witness,
        bounds=bounds,
        failing=differ.failing,
        true_while_failing=differ.true_while_failing,
        false_while_working=differ.false_while_working,
        told_after=next((entry.start - start for entry in found if not entry.ready), None),
        recovered_after=found[-1].start - mended,
        story=_story(found, mended),
    )


def _story(found: Sequence[Stretch], mended: float) -> str:
    """Return since when what held, in seconds from the start, and when the fault was mended."""
    start = found[0].start
    held = (f"{entry.start - start:.1f} {'answered' if entry.ok else 'failing'}/{entry.ready}" for entry in found)
    return f"{', '.join(held)}; mended at {mended - start:.1f}"
