"""The model server beside us: its processes, its container, and what it used over windows."""
