"""The load of models, read at their endpoint pickers for autoscalers."""
