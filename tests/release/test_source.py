"""A release is made of a commit, and its version stands in one place."""

import re
import shutil

import pytest

from release.changelog import notes, with_links
from release.errors import ReleaseError
from release.source import exported
from release.version import stale
from tests.release.committed import git


def test_the_release_is_of_the_commit_and_of_nothing_else(repository, tmp_path):
    copy = shutil.copytree(repository, tmp_path / "copy")
    (copy / "uncommitted.py").write_text("")
    with pytest.raises(ReleaseError, match=r"(?s)commit or stash them:.*uncommitted\.py"), exported(copy):
        pass
    with exported(copy, may_differ=True) as source:
        assert not (source.root / "uncommitted.py").exists()
        assert (source.root / "pyproject.toml").is_file()
        assert source.epoch == 1767323045  # of the commit, not of now


def test_a_folder_without_history_is_refused(tmp_path):
    with pytest.raises(ReleaseError, match="not a git repository"), exported(tmp_path):
        pass


def test_every_place_has_the_version_of_pyproject(source):
    assert stale(source.root) == {}


def test_a_new_version_is_written_to_every_place_and_not_into_history(source, tmp_path):
    root = shutil.copytree(source.root, tmp_path / "root")
    about = root / "pyproject.toml"
    about.write_text(re.sub(r'^version = ".*"$', 'version = "7.8.9"', about.read_text(), flags=re.MULTILINE))
    changed = stale(root)
    names = {str(path.relative_to(root)) for path in changed}
    assert {"charts/workspace-ctrl/Chart.yaml", "flux/controller.yaml", "docs/install.md", "README.md"} <= names
    assert "CHANGELOG.md" not in names
    for path, text in changed.items():
        path.write_text(text)
    assert stale(root) == {}
    chart = (root / "charts/workspace-ctrl/Chart.yaml").read_text()
    assert re.findall(r"(?m)^(?:version|appVersion): (.*)$", chart) == ["7.8.9", "7.8.9"]
    assert "dist/workspace-ctrl-7.8.9.tgz" in (root / "docs/install.md").read_text()


def test_notes_are_the_section_of_the_version():
    text = "# Changelog\n\n## 0.2.0 (2026-12-01)\n\n### More\n\n- a\n\n## 0.1.0\n\n- b\n"
    assert notes(text, "0.2.0") == "### More\n\n- a\n"
    assert notes(text, "0.1.0") == "- b\n"
    for version in ("0.2", "0.3.0"):
        with pytest.raises(ReleaseError, match=f"no section for {re.escape(version)}"):
            notes(text, version)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[a](docs/a.md).", "[a](REPO/blob/v1.2.3/docs/a.md)."),
        ("([a](docs/a.md#part));", "([a](REPO/blob/v1.2.3/docs/a.md#part));"),
        ("[two\nlines](./SECURITY.md)", "[two\nlines](REPO/blob/v1.2.3/SECURITY.md)"),
        ('[a](docs/a.md "title")', '[a](REPO/blob/v1.2.3/docs/a.md "title")'),
        ("[`code`](docs/a.md)", "[`code`](REPO/blob/v1.2.3/docs/a.md)"),
        ("![picture](docs/a.png)", "![picture](REPO/raw/v1.2.3/docs/a.png)"),
        ("[![picture](docs/a.png)](docs/a.md)", "[![picture](REPO/raw/v1.2.3/docs/a.png)](REPO/blob/v1.2.3/docs/a.md)"),
        *(
            (text, text)
            for text in (
                "[a](https://a.example/docs/a.md)",
                "![a](HTTPS://a.example/a.png)",
                "[a](mailto:a@a.example)",
                "[a](#part)",
                "[a](/docs/a.md)",
                "[a](//a.example/a.md)",
                "`[a](docs/a.md)`",
                "``a ` [a](docs/a.md)``",
                "```yaml\n\n[a](docs/a.md)\n\n```\n",
            )
        ),
        ("a ` alone\n\n[a](docs/a.md) `", "a ` alone\n\n[a](REPO/blob/v1.2.3/docs/a.md) `"),
    ],
)
def test_relative_links_of_notes_lead_to_the_tag_and_all_others_stay(text, wanted):
    repository = "https://forge.example/team/project"
    assert with_links(text, repository, "v1.2.3") == wanted.replace("REPO", repository)


def test_this_version_has_notes(source):
    assert notes((source.root / "CHANGELOG.md").read_text(), source.version)


def test_a_commit_without_remote_has_no_url(repository, tmp_path):
    copy = shutil.copytree(repository, tmp_path / "copy")
    with exported(copy) as source:
        assert source.url == ""
    git(copy, "remote", "add", "origin", "https://git.example/project")
    with exported(copy) as source:
        assert source.url == "https://git.example/project"
