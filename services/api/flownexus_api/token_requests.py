"""What an API token is asked for with."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from flownexus_api.api_tokens import DEFAULT_DAYS, MAX_DAYS, MAX_NAME_LENGTH
from flownexus_api.scopes import Scope

TokenId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="As the list has it.")]


class TokenRequest(BaseModel):
    """An API token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=MAX_NAME_LENGTH, description="What it is for.")
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope), description="What it is good for.")
    days: float = Field(default=DEFAULT_DAYS, gt=0, le=MAX_DAYS, allow_inf_nan=False, description="For how long.")
