"""Requests that several models of a namespace share: the route of a group, and how it divides them."""
