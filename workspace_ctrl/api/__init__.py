"""The Workspace API: its typed models, names, labels, conditions and errors. Imports nothing from other layers."""
