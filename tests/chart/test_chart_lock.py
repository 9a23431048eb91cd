"""Chart.lock pins the chart's dependencies, and is that of Chart.yaml: `helm dependency build` refuses another one."""

import hashlib
import json
import shutil

import yaml

from e2e.cluster.chart import FLUX_STANDIN, SOURCE
from tests.chart.helm import helm

FIELDS = ("name", "version", "repository", "condition", "alias")


def digest_of(dependencies, locked):
    """The digest as Helm computes it: of the dependencies in Chart.yaml and of those in Chart.lock, as JSON."""
    both = [[{field: each[field] for field in FIELDS if field in each} for each in listed] for listed in (dependencies, locked)]
    return "sha256:" + hashlib.sha256(json.dumps(both, separators=(",", ":")).encode()).hexdigest()


def read(folder):
    chart, lock = (yaml.safe_load((folder / name).read_text()) for name in ("Chart.yaml", "Chart.lock"))
    return chart["dependencies"], lock


def test_the_lock_is_that_of_the_dependencies():
    dependencies, lock = read(SOURCE)
    assert [each["name"] for each in lock["dependencies"]] == [each["name"] for each in dependencies]
    assert {each["version"] for each in lock["dependencies"]} == {each["version"] for each in dependencies}  # no ranges
    assert lock["digest"] == digest_of(dependencies, lock["dependencies"])


def test_helm_computes_digests_in_this_way(tmp_path):
    shutil.copytree(FLUX_STANDIN, tmp_path / "flux2")
    chart = yaml.safe_load((SOURCE / "Chart.yaml").read_text())
    version = yaml.safe_load((FLUX_STANDIN / "Chart.yaml").read_text())["version"]
    chart["dependencies"][0] |= {"repository": "file://../flux2", "version": version}
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "Chart.yaml").write_text(yaml.safe_dump(chart))
    result = helm("dependency", "update", str(tmp_path / "chart"))
    assert not result.returncode, result.stderr
    dependencies, lock = read(tmp_path / "chart")
    assert lock["digest"] == digest_of(dependencies, lock["dependencies"])
