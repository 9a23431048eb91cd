"""The memory and the layout of vLLM."""
