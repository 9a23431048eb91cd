"""The commands that pods of the chart run besides the controller."""
