"""The routes of the list of models: what of them exists, and how they are kept as they have to be."""
