"""Does `GatewayReady` agree with what a client meets? Real requests beside the condition, while faults come and go."""
