"""Collections of garbage do not go through all modules again and again."""

import gc

from workspace_ctrl.process.python_garbage_collection import settle

PYTHONS = (700, 10, 10)


def test_what_exists_at_the_start_is_left_out_of_collections():
    of_tests = gc.get_threshold()
    gc.set_threshold(*PYTHONS)
    modules = [[] for _ in range(20_000)]
    frozen = gc.get_freeze_count()  # by pytest, and by commands that another test has run in this process
    try:
        settle()
        assert gc.get_freeze_count() >= frozen + len(modules)
        assert gc.get_threshold()[0] > PYTHONS[0]
        assert len(gc.get_objects()) < 10_000
    finally:
        gc.set_threshold(*of_tests)
