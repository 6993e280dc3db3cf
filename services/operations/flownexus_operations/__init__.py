"""Operations: requests to devices, kept until the device listens, sent once, tried again, and never stuck."""
