"""What is kept of a planned model server from pass to pass."""

from workspace_ctrl.planning.workload.planned_server import PlannedServer


def test_the_newest_manifest_of_each_object_is_kept_and_no_older_one():
    planned, made = PlannedServer(inputs=()), []

    def manifest(name, variant):
        return planned.manifest(name, variant, lambda: made.append((name, variant)) or {"kind": name})

    for name, variant in (
        ("route", "a"),
        ("release", "a"),
        ("route", "a"),
        ("route", "b"),
        ("route", "b"),
        ("release", "a"),
        ("route", "a"),
    ):
        assert manifest(name, variant) == {"kind": name}
    assert made == [("route", "a"), ("release", "a"), ("route", "b"), ("route", "a")]
