"""Measurements that stand on the whole package: a folder for each study, and what they share."""
