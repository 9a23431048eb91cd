"""Built-in data: models, instance types, chart layouts, gateway classes."""
