"""Pure functions: decisions and observed objects → the links of the chain → conditions and status. Time is an argument."""
