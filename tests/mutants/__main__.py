"""`python -m tests.mutants [FOLDER OR FILE ...]`: a sample of mutants, judged by the tests."""

import hashlib
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from tests.mutants import REPOSITORY
from tests.mutants.operators import Mutant, mutants
from tests.mutants.trial import JudgesError, Outcome, Trials, prepare

PURE = ("workspace_ctrl/api", "workspace_ctrl/planning", "workspace_ctrl/readiness", "workspace_ctrl/records")
ENOUGH = 95
"""Per cent of the mutants with an effect that have to be noticed."""
WITHOUT_EFFECT = Path(__file__).with_name("without_effect.txt")


def modules(places: Sequence[str], since: str) -> list[str]:
    """Return the modules in the given places, only those that have changed since a commit where one is given."""
    found = {
        str(path.relative_to(REPOSITORY))
        for place in places or PURE
        for path in ([REPOSITORY / place] if place.endswith(".py") else (REPOSITORY / place).rglob("*.py"))
    }
    if since:
        found &= _git("diff", "--name-only", since, "--") | _git("ls-files", "--others", "--exclude-standard")
    return sorted(found)


def _git(*arguments: str) -> set[str]:
    """Return the lines that git prints."""
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def without_effect() -> set[str]:
    """Return the titles of the mutants that are known to have no effect."""
    lines = (line.partition(" # ")[0].strip() for line in WITHOUT_EFFECT.read_text().splitlines())
    return {line for line in lines if line and not line.startswith("#")}


def sample(paths: Sequence[str], count: int, seed: int) -> list[Mutant]:
    """Return so many of all mutants of the modules, but for those without an effect.

    They are the same ones for the same seed, as far as the code still has them: each is drawn by its title, whatever others there are.
    """
    known = without_effect()
    every = (each for path in paths for each in mutants(path, (REPOSITORY / path).read_text()) if each.title not in known)
    return sorted(every, key=lambda each: hashlib.sha256(f"{seed} {each.title}".encode()).digest())[:count]


@click.command()
@click.argument("places", nargs=-1)
@click.option("--count", default=120, help="How many mutants.")
@click.option("--seconds", default=1800.0, help="How long to go on at most; what is left then is not judged.")
@click.option("--seed", default=1, help="Chooses the sample.")
@click.option("--since", default="", help="Only modules that have changed since this commit.")
def main(*, places: tuple[str, ...], count: int, seconds: float, seed: int, since: str) -> None:
    """Change modules in PLACES (default: the pure core), and say which changes no test notices."""
    prepare()
    chosen = sample(modules(places, since), count, seed)
    if not chosen:
        raise click.ClickException("there is nothing to change in these modules")
    trials = Trials()
    outcomes: Counter[Outcome] = Counter()
    deadline = time.monotonic() + seconds
    for mutant in chosen:
        if time.monotonic() > deadline:
            break
        try:
            outcome, took = trials.judge(mutant)
        except JudgesError as error:
            raise click.ClickException(f"{mutant.title}: {error}") from error
        outcomes[outcome] += 1
        click.echo(f"{outcome:8} {took:5.1f} s  {mutant.path}:{mutant.line} {mutant.where}: {mutant.before!r} → {mutant.after!r}")
        if outcome is Outcome.SURVIVED:
            click.echo(f"  {mutant.title}")
    judged = outcomes.total()
    share = 100 * (judged - outcomes[Outcome.SURVIVED]) / judged if judged else 100
    click.echo(f"{judged} of {len(chosen)} mutants judged: {dict(outcomes)}; {share:.0f} % noticed")
    if share < ENOUGH:
        raise click.ClickException(
            f"fewer than {ENOUGH} %: write a test for each that survived, or list it in {WITHOUT_EFFECT.name}"
        )
    if judged < len(chosen):
        raise click.ClickException(
            f"{len(chosen) - judged} were not judged in {seconds:g} s; give more --seconds, or a smaller --count"
        )


if __name__ == "__main__":
    main()
