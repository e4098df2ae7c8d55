"""`dnerv bench`: how fast clips come from disk to tensors, and everybody who takes part. See `study`."""
