"""`python -m flownexus_ingest`."""

from flownexus_ingest.main import main

main()
