"""Rollouts: firmware to many endpoints, group after group, halted where it goes wrong."""
