"""Requests through Gateways, as a client would send them, and what their results mean."""
