"""Measurements that stand on the whole package: one module or folder per study, each run by `python -m`."""
