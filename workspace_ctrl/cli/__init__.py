"""The command line: reads arguments, prints results, decides nothing."""
