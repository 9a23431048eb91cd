"""Fuzzing of everything that reads input of others: `make fuzz` searches, `make test` replays what was found."""
