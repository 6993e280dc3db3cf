"""What tests run against: the real servers and the real services, each as its own process."""
