"""What the documents show: commands with their parts, and blocks of YAML."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from e2e import guide

REPOSITORY = Path(__file__).parents[3]
DOCUMENTS = {
    str(path.relative_to(REPOSITORY)): path.read_text()
    for path in sorted(REPOSITORY.glob("**/*.md"))
    if not any(part.startswith((".", "build", "dist")) for part in path.relative_to(REPOSITORY).parts)
}
_SEPARATORS = {"&&", "||", "|", ";", "&", "(", ")", ");"}
_KEYWORDS = {"do", "done", "then", "fi", "$"}
_INLINE = re.compile(r"`((?:workspace-ctrl|kubectl workspace) [^`]+)`")
_YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the single commands of the console blocks of a page, as words: without variables before, redirections and comments."""
    for step in guide.steps(text):
        yield from _simple(step.command.replace("\\\n", " "))


def _simple(command: str) -> Iterator[tuple[str, ...]]:
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word in _SEPARATORS:
            if words and not words[0].startswith("/"):  # the rest of a word that began with a substitution
                yield tuple(words)
            words = []
        elif words or not (word in _KEYWORDS or re.fullmatch(r"\w+=.*", word)):
            words.append(word)


def inline_commands(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the commands of this project that stand in running text, as words."""
    for found in _INLINE.findall(text):
        words = found.replace("\n", " ").split()
        yield tuple(words[2:] if words[0] == "kubectl" else words[1:])


def yaml_blocks(text: str) -> list[str]:
    """Return the blocks of YAML of a page."""
    return _YAML.findall(text)
