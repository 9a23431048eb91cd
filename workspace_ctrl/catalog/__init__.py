"""What is known beforehand, as data: models, instance types, chart layouts, gateway classes."""
