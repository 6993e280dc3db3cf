"""Brings resources of devices to their desired values: compares, asks for operations, looks whether it holds."""
