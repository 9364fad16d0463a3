"""GPUs beside the model: read in the background, shown at scrapes."""
