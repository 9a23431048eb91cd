"""Collections of garbage do not go through all modules again and again."""

import gc

from workspace_ctrl.process.python_garbage_collection import settle

PYTHONS = (700, 10, 10)


def test_what_exists_at_the_start_is_left_out_of_collections():
    of_tests = gc.get_threshold()
    gc.set_threshold(*PYTHONS)
    gc.unfreeze()  # pytest has frozen what it has collected, and commands that another test has run theirs
    try:
        settle()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[0] > PYTHONS[0]
        assert len(gc.get_objects()) < 10_000
    finally:
        gc.freeze()
        gc.set_threshold(*of_tests)
