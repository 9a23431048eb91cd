"""Settings of vLLM: which flags a user may set, and what they mean for the size of a model."""
