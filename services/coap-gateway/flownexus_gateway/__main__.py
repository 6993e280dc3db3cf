"""`python -m flownexus_gateway`."""

from __future__ import annotations

import sys

from flownexus_gateway.main import main

sys.exit(main())
