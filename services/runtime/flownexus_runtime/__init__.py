"""What every service process needs and none owns: settings, logs, the NATS connection, health, a clean stop."""
