"""The list of models of each Gateway, and the answer to requests that no model takes."""
