"""Typed parts of the API about traffic: steps of canaries, and the durations in which they are written."""
