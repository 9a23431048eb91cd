"""Collections of garbage do not go through all modules again and again."""

import gc

from workspace_ctrl.process.python_garbage_collection import settle


def test_what_exists_at_the_start_is_left_out_of_collections():
    before = gc.get_threshold()
    gc.unfreeze()  # commands that another test has run in this process have frozen theirs
    try:
        settle()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[0] > before[0]
        assert len(gc.get_objects()) < 10_000
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
