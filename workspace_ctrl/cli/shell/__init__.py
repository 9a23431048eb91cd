"""The program as its users call it: commands that are imported when they are used, completion, and the page of all commands."""
