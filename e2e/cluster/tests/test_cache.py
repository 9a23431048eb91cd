"""The cache keeps what was used last, and never takes away what may be in use."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from e2e.cluster import cache, images
from e2e.cluster.cache import DAY, HOUR, LEFTOVER, Entry
from e2e.cluster.cli import commands
from e2e.cluster.oci import FileEntry, Image
from e2e.cluster.places import ClusterPlaces
from e2e.cluster.processes import ProcessId

NOW = 1_000_000.0
NAME = "localhost/program"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSPACE_CTRL_CACHE", str(tmp_path))
    return tmp_path


def entry(name, used, number=0):
    return Entry(Path(f"/{name}-{number}"), name, used)


def made(folder, name, hours_ago):
    path = folder / name
    path.mkdir(parents=True)
    (path / "content").write_bytes(b"x" * 1000)
    return aged(path, hours_ago)


def aged(path, hours_ago):
    used = time.time() - hours_ago * HOUR
    os.utime(path, (used, used))
    return path


def image(content, name=NAME):
    return Image(f"{name}:{content}", (FileEntry("/program", content),), ("/program",))


def running_cluster(hours_ago):
    places = ClusterPlaces("default")
    places.root.mkdir(parents=True)
    us = ProcessId.of(os.getpid())
    places.keeper.write_text(json.dumps({key: {"pid": us.pid, "started": us.started} for key in ("keeper", "supervisor")}))
    places.settings.write_text("{}")
    aged(places.settings, hours_ago)
    return places


@pytest.mark.parametrize(
    ("found", "gone"),
    [
        pytest.param([entry("a", 3), entry("a", 1), entry("a", 2)], [1], id="the one that was used longest ago"),
        pytest.param([entry("a", 1), entry("b", 2), entry("a", 3), entry("b", 4)], [], id="each name keeps its own"),
        pytest.param([entry("a", NOW), entry("a", NOW + 1), entry("a", NOW + 2)], [], id="nothing that was used since"),
        pytest.param([entry(LEFTOVER, NOW - DAY - 1), entry(LEFTOVER, NOW - DAY)], [NOW - DAY - 1], id="leftovers, if a day old"),
    ],
)
def test_surplus(found, gone):
    assert [each.used for each in cache.surplus(found, 2, NOW)] == gone


def test_taking_an_entry_makes_it_the_one_that_was_used_last(folder):
    first, second, third = (made(folder / "programs", f"go-{digit * 16}", 10 - int(digit)) for digit in "123")
    assert cache.take(first)
    assert [each.path for each in cache.trim("programs", keep=2)] == [second]
    assert (first.is_dir(), second.exists(), third.is_dir()) == (True, False, True)
    assert not cache.take(second)


def test_programs_of_other_names_and_the_folder_of_a_build_stay(folder):
    for name in ("go-aaaaaaaaaaaaaaaa", "charts-1.0.0-aaaaaaaaaaaaaaaa", "charts-1.0.1-aaaaaaaaaaaaaaaa", ".go-being-built"):
        made(folder / "programs", name, 5)
    assert cache.trim("programs", keep=1) == []


def test_what_a_killed_process_has_left_is_removed_after_a_day(folder):
    left, fresh = made(folder / "images", ".layout-abc", 30), made(folder / "images", ".layout-def", 20)
    cache.trim("images")
    assert (left.exists(), fresh.exists()) == (False, True)
    assert list((folder / "images").iterdir()) == [fresh]


@pytest.mark.parametrize(("started", "kept"), [(2.5, 2), (4, 3), (6, 4)])
def test_what_was_used_since_the_oldest_running_cluster_was_started_stays(folder, started, kept):
    running_cluster(started)
    for hours_ago in (2, 3, 4, 6):
        made(folder / "layers", f"python-{hours_ago:016}", hours_ago)
    cache.trim("layers", keep=0)
    assert len(cache.entries("layers")) == kept


def test_a_cluster_whose_processes_are_gone_holds_nothing(folder):
    places = running_cluster(6)
    places.keeper.write_text(places.keeper.read_text().replace(str(os.getpid()), "999999999"))
    made(folder / "layers", "python-aaaaaaaaaaaaaaaa", 3)
    assert len(cache.trim("layers", keep=0)) == 1


def test_a_new_image_removes_older_ones_of_its_name_whatever_their_tags(monkeypatch):
    monkeypatch.setitem(cache.KEPT, "images", 2)
    other = aged(images.layout(image("1", "localhost/other")), 9)
    oldest, older = aged(images.layout(image("1")), 4), aged(images.layout(image("2")), 5)
    images.layout(image("1"))
    newest = images.layout(image("3"))
    assert [path.exists() for path in (other, oldest, older, newest)] == [True, True, False, True]


def test_an_image_takes_no_room_for_layers_that_the_cache_has(folder):
    layer = folder / "layers" / "python-aaaaaaaaaaaaaaaa.tar"
    layer.parent.mkdir()
    layer.write_bytes(b"x" * 100_000)
    seen: set[int] = set()
    assert cache.size(cache.entries("layers"), seen) == 100_000
    images.layout(Image(f"{NAME}:1", (FileEntry("/program", "x"),), ("/program",), layers=(layer,)))
    assert cache.size(cache.entries("images"), seen) < 50_000


def test_working_copies_with_the_same_sources_share_an_image(tmp_path):
    copies = [tmp_path / name / "program" for name in ("one", "other")]
    for number, path in enumerate(copies):
        path.parent.mkdir()
        path.write_text("the same")
        aged(path, number)
    first, second = (Image(NAME, (FileEntry("/program", path),), ("/program",)).fingerprint for path in copies)
    assert first == second
    copies[1].write_text("not same")
    assert Image(NAME, (FileEntry("/program", copies[1]),), ("/program",)).fingerprint != first


def run(*arguments):
    return CliRunner().invoke(commands, ["cache", *arguments], env={"COLUMNS": "200"})


def test_the_command_says_what_there_is_and_removes_what_was_not_used_lately(folder):
    for digit in "1234":
        made(folder / "programs", f"go-{digit * 16}", int(digit) + 1)
    listed = run()
    assert "go" in listed.output
    assert [cell.strip() for cell in listed.output.splitlines()[-3].split("│")[3:4]] == ["4"]
    assert "removed 1 of" in run("--clean").output
    assert "removed 3 of" in run("--clean", "--keep", "0").output
    assert "--keep needs --clean" in run("--keep", "1").output
