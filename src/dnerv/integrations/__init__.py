"""What others have made, joined to an archive: each module is imported on use, and needs an extra of its own."""
