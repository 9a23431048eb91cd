"""The model server: from a preset, a pod template, or a referenced workload."""
