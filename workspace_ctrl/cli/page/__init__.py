"""The local page of `workspace-ctrl ui`: what it shows, what it reads, and the server behind it."""
