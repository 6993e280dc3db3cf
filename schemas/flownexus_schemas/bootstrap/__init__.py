"""What a bootstrap server gives to devices. LwM2M Core 1.1.1, 6.1; 1.2, 6.1."""
