"""What is shown: one file, one family of pure functions of a window."""
