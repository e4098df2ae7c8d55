"""The commands, a file each: what it takes, what it calls, how its record is laid out."""
