"""The benchmark of the controller: how fast, at which cost, and compared with what; see docs/performance.md."""
