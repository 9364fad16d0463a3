"""References: what a model's inputs, outputs and quality were when all was well."""
