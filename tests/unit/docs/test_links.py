"""Links between documents lead to files and headings that exist, and no document is out of reach."""

import re
from pathlib import PurePosixPath

import pytest

from tests.unit.docs.documents import DOCUMENTS, REPOSITORY

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", re.DOTALL)
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} (.*)$", re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
START = "README.md"


def prose(text):
    return FENCE.sub("", text)


def links(text):
    """The targets of links and pictures; what looks like one in code is none."""
    shown = CODE.sub("code", prose(text))
    return [*LINK.findall(shown), *PICTURE.findall(shown)]


def anchors(text):
    """The anchors of the headings, as GitHub makes them."""
    found = set()
    for heading in HEADING.findall(prose(text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        number = next(number for number in range(99) if (f"{name}-{number}" if number else name) not in found)
        found.add(f"{name}-{number}" if number else name)
    return found


def targets(document):
    """Path and anchor of each link that is not one of the Internet."""
    for link in links(DOCUMENTS[document]):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        folder = PurePosixPath(document).parent
        yield ((REPOSITORY / folder / path).resolve() if path else REPOSITORY / document), anchor


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    broken = []
    for path, anchor in targets(document):
        if not path.exists():
            broken.append(str(path))
        elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text()):
            broken.append(f"{path.relative_to(REPOSITORY)}#{anchor}")
    assert broken == []


def test_every_document_can_be_reached_from_the_readme():
    reached, waiting = set(), [START]
    while waiting:
        document = waiting.pop()
        if document in DOCUMENTS and document not in reached:
            reached.add(document)
            for path, _ in targets(document):
                pages = [path] if path.suffix == ".md" else sorted(path.glob("*/README.md")) if path.is_dir() else []
                waiting += [str(page.relative_to(REPOSITORY)) for page in pages]
    assert sorted(DOCUMENTS.keys() - reached) == []
