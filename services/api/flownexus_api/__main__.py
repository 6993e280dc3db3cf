"""`python -m flownexus_api` serves; `openapi` behind it prints the OpenAPI document, `access` the page about access."""

from __future__ import annotations

import json
import sys

from flownexus_api import access_page
from flownexus_api.app import PREFIX, ROUTERS, create_app
from flownexus_api.main import main

match sys.argv[1:]:
    case []:
        main()
    case ["openapi"]:
        sys.stdout.write(json.dumps(create_app().openapi(), indent=2, ensure_ascii=False) + "\n")
    case ["access"]:
        sys.stdout.write(access_page.page(list(access_page.routes(ROUTERS, PREFIX))))
    case _:
        sys.exit("usage: python -m flownexus_api [openapi | access]")
