"""What may go wrong in a benchmark."""


class BenchmarkError(Exception):
    """A stage did not come to its end; the message says which, and what was seen last."""
