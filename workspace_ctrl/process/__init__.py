"""The process: kopf, leader election, health, admission."""
