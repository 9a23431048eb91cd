"""The chart that installs pool and endpoint picker: its source, its values, its Flux objects, its migration."""
