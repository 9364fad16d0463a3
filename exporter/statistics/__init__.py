"""What is counted: one file, one thing."""
