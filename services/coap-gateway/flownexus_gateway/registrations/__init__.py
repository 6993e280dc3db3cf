"""Register, Update, Deregister and the table of live registrations. LwM2M Core 1.1.1, 6.2."""
