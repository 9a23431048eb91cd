"""Tests of the cluster itself."""
