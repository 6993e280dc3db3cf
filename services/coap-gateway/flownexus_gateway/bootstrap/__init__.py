"""The bootstrap server: devices ask at /bs, and are given their accounts at servers. LwM2M Core 1.1.1, 6.1."""
