"""What is promised, measured."""
