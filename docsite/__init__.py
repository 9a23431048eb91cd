"""The pages of docs that are generated, and the site that `make docs` makes of all pages."""
