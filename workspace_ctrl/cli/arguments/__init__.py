"""Arguments as kubectl users write them: kinds and names, formats, durations, files, namespaces."""
