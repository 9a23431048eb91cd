"""The model server of a preset: sized for the GPUs of its nodes, with the command line of vLLM."""
