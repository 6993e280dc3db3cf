"""Rollouts of firmware to many endpoints: what they are, how they go from state to state, and their messages."""
