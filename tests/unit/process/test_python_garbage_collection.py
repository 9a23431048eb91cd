"""Collections of garbage do not go through all modules again and again."""

import gc

from workspace_ctrl.process.python_garbage_collection import settle


def test_what_exists_at_the_start_is_left_out_of_collections():
    gc.unfreeze()  # what a command of another test has left out
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    try:
        settle()
        assert gc.get_freeze_count() > frozen + 10_000
        assert gc.get_threshold()[0] > before[0]
        assert len(gc.get_objects()) < 10_000
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
