"""Connections to servers of others: which addresses they may have, and how much is read of them."""
