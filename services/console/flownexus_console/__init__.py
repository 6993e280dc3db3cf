"""The web page of Flow Nexus: a process of its own, over the REST API alone."""
