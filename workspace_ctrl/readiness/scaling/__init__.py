"""How InferenceSets are scaled by load, and what holds while no copy is ready."""
