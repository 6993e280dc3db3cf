"""What devices send: notifications and Send, as reported events. LwM2M Core 1.1.1, 6.4."""
