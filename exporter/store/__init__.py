"""What is kept on disk: a journal of operations, and snapshots of the state."""
