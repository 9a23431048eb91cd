"""The settings of the process, from the command line and the settings file."""
