"""What `make release` runs: everything that is published of a commit, built, signed and pushed; the same bytes each time."""
