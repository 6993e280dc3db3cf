"""Everything two parties of Flow Nexus must agree on: bus names, events, commands, tables, LwM2M."""
