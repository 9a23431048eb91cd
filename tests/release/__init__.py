"""`make release`, up to the images, which e2e/scenarios/test_install_release.py builds, pushes and installs."""
