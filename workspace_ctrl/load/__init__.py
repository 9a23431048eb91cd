"""What is read of models at work: their load at the endpoint pickers, for autoscalers, and their requests, for canaries."""
