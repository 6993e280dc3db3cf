"""`python -m flownexus_api` serves; `python -m flownexus_api openapi` prints the OpenAPI document."""

from __future__ import annotations

import json
import sys

from flownexus_api.app import create_app
from flownexus_api.main import main

match sys.argv[1:]:
    case []:
        main()
    case ["openapi"]:
        sys.stdout.write(json.dumps(create_app().openapi(), indent=2, ensure_ascii=False) + "\n")
    case _:
        sys.exit("usage: python -m flownexus_api [openapi]")
