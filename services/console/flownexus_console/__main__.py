"""`python -m flownexus_console`."""

from flownexus_console.main import main

main()
