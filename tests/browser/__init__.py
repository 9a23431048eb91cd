"""The page of `workspace-ctrl ui` in a real browser; `make test-addons` installs it and runs these tests."""
