"""What is promised and claimed, as programs that measure it."""
