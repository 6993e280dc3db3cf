"""Desired values: what resources of an endpoint should be, and how each stands."""
