"""The site of the documents: which pages it has, how they are changed for MkDocs, and pictures that are current. `make docs` makes it."""

from xml.etree import ElementTree as ET

import pytest

from docsite import pictures, site
from docsite.dashboard_page import dashboard_page, panels
from docsite.settings_page import settings_keys, settings_page
from tests.unit.docs.documents import DOCUMENTS, REPOSITORY
from workspace_ctrl.api.conditions import ConditionType

PICTURES = sorted((REPOSITORY / "docs/pictures").glob("*.svg"))
SUMMARIES = {
    *(ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED, ConditionType.WARNING),
    *(ConditionType.WORKSPACE_SUCCEEDED, ConditionType.NODES_READY),
    *(ConditionType.BODY_ROUTING_READY, ConditionType.OBJECTIVES_READY),
}
"""Conditions that are no links of the chain."""


def test_every_document_is_a_page():
    assert DOCUMENTS.keys() - {str(source) for source in site.sources()} == set()


def test_the_site_has_what_pages_link_to():
    sources = {str(source) for source in site.sources()}
    assert {"docs/pictures/chain.svg", "examples/quickstart/gateway.yaml", "docs/pass.svg"} <= sources


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("Condition values:\n- one\n- two\n", "Condition values:\n\n- one\n- two\n"),
        ("Steps:\n1. one\n2. two\n", "Steps:\n\n1. one\n2. two\n"),
        ("- one\n  goes on\n- two\n", "- one\n  goes on\n- two\n"),
        ("```yaml\na:\n- one\n```\n", "```yaml\na:\n- one\n```\n"),
        ("# Title\n\ntext\n", "# Title\n\ntext\n"),
        ("| a |\n|---|\n| b |\n", "| a |\n|---|\n| b |\n"),
    ],
)
def test_a_list_below_a_paragraph_is_a_list(text, changed):
    assert site.for_mkdocs(text) == changed


@pytest.mark.parametrize(
    ("page", "loads"),
    [
        ('<script src="https://cdn.example/x.js">', True),
        ('<img alt="x" src=https://cdn.example/x.png>', True),
        ('<link rel="stylesheet" href="//fonts.example/x.css">', True),
        ('<a href="https://example.com">', False),
        ('<link rel="canonical" href="https://example.com">', False),
        ('<script src="assets/x.js">', False),
    ],
)
def test_a_page_that_loads_something_of_another_server_is_found(page, loads):
    assert bool(site.LOADED.search(page)) is loads


@pytest.mark.parametrize("file", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_current_small_and_loads_nothing(file):
    text = file.read_text()
    assert text == pictures.pictures()[file.name]
    assert len(text) < 8000
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own


def test_pictures_are_shown():
    shown = "".join(DOCUMENTS.values())
    assert {file.name for file in PICTURES} == pictures.pictures().keys()
    assert [file.name for file in PICTURES if f"pictures/{file.name})" not in shown] == []


def test_the_picture_of_the_chain_has_all_its_conditions():
    # The route of a group, a canary, the number of copies and their evictions are beside the chain.
    copies = {ConditionType.AUTOSCALING, ConditionType.DISRUPTION_BUDGET_READY}
    beside = {ConditionType.GROUP_READY, ConditionType.CANARY_PROGRESSING, *copies}
    assert {condition for condition, _, _ in pictures.CHAIN} == set(ConditionType) - SUMMARIES - beside


def test_the_reference_of_settings_is_current():
    assert (REPOSITORY / "docs/reference/settings.md").read_text() == settings_page()
    assert len(settings_keys()) == settings_page().count("\n## ")


def test_tools_of_the_site_are_pinned_with_hashes():
    pinned = (REPOSITORY / "requirements/docs.txt").read_text()
    assert "mkdocs-material==" in pinned
    assert pinned.count("==") <= pinned.count("--hash=sha256:")


def test_no_page_has_a_diagram_whose_renderer_would_be_fetched():
    assert [document for document, text in DOCUMENTS.items() if "```mermaid" in text] == []


def test_the_reference_of_the_dashboard_is_current_and_each_panel_says_what_it_shows():
    assert (REPOSITORY / "docs/reference/dashboard.md").read_text() == dashboard_page()
    for panel in panels():
        assert panel["description"].endswith(".")
