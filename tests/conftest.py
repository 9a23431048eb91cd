"""Settings of all tests."""

from hypothesis import settings

# A deadline would be a timed assertion, and machines that run tests are noisy.
settings.register_profile("project", deadline=None)
settings.load_profile("project")
