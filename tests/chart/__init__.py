"""The chart, rendered: what needs no cluster."""
