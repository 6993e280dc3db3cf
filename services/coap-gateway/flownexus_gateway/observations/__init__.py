"""What is observed: the durable table of tokens, the plan at registration. LwM2M Core 1.1.1, 6.4."""
