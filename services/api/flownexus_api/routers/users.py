"""The people who can log in."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from flownexus_api.access import Viewer
from flownexus_api.documented import answers

router = APIRouter(prefix="/users", tags=["users"])


class Me(BaseModel):
    """Who is logged in."""

    name: str
    role: Literal["viewer", "operator", "administrator"]


@router.get("/me", responses=answers(401, 503))
async def get_me(who: Viewer) -> Me:
    """The user whose token this is."""
    return Me.model_validate(who, from_attributes=True)
