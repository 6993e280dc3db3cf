"""`python -m flownexus_operations`."""

from flownexus_operations.main import main

main()
