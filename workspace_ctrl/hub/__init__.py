"""The model hub: the figures of models that are not in the catalog, read in the background from public files."""
