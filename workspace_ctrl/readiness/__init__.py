"""Pure: what was decided and observed → the links of the chain → conditions and status. Time is an argument."""
