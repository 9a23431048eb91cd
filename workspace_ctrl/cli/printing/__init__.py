"""What the commands print objects as: tables, documents, JSONPath."""
