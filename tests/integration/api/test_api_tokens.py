"""API tokens: made once, good for their scopes and for no more than their owner."""

from __future__ import annotations

import httpx
import psycopg
import pytest

from flownexus_api.parts import Parts
from flownexus_api.scopes import Scope
from integration.api.callers import Callers


@pytest.fixture
async def otto(callers: Callers) -> httpx.AsyncClient:
    callers.add("operator", "otto")
    return await callers.log_in("otto")


@pytest.fixture
async def administrator(callers: Callers) -> httpx.AsyncClient:
    return await callers.of_role("administrator")


async def make(client: httpx.AsyncClient, name: str = "report", *scopes: str, **more: object) -> httpx.Response:
    return await client.post("/users/me/tokens", json={"name": name, "scopes": scopes or ["read"], **more})


async def test_a_token_is_shown_once_and_works_without_a_login(
    callers: Callers, otto: httpx.AsyncClient, database_url: str
) -> None:
    made = (await make(otto)).json()
    program = callers.with_token(made["token"])
    me = (await program.get("/users/me")).json()
    assert (me["name"], me["scopes"], me["api_token"]) == ("otto", ["read"], "report")
    assert (await program.get("/endpoints")).status_code == 200
    [listed] = (await otto.get("/users/me/tokens")).json()["items"]
    assert listed == {key: value for key, value in made.items() if key != "token"}
    with psycopg.connect(database_url) as connection:
        [(kept,)] = connection.execute("select api_token::text from api_token").fetchall()
    assert made["token"] not in kept


async def test_a_token_does_what_its_scopes_say_and_no_more(callers: Callers, otto: httpx.AsyncClient) -> None:
    reads = callers.with_token(callers.token("otto", Scope.READ))
    configures = callers.with_token(callers.token("otto", Scope.CONFIGURE))
    tags = {"tags": ["north"]}
    refused = await reads.put("/endpoints/node/tags", json=tags)
    assert refused.status_code == 403
    assert refused.json()["detail"] == "This needs the scope configure; the token has read."
    assert (await configures.get("/endpoints")).status_code == 403
    assert (await configures.put("/endpoints/node/tags", json=tags)).status_code == 503  # no NATS is here


async def test_a_token_never_exceeds_the_role_that_its_owner_has_now(
    callers: Callers, administrator: httpx.AsyncClient
) -> None:
    callers.add("administrator", "grace")
    program = callers.with_token(callers.token("grace", *Scope))
    assert (await program.get("/users")).status_code == 200
    await administrator.patch("/users/grace", json={"role": "viewer"})
    assert (await program.get("/users")).status_code == 403
    assert (await program.get("/endpoints")).status_code == 200
    await administrator.patch("/users/grace", json={"disabled": True})
    assert (await program.get("/endpoints")).status_code == 401


async def test_a_scope_that_the_role_cannot_use_is_refused(otto: httpx.AsyncClient) -> None:
    answer = await make(otto, "too much", "read", "administer")
    assert answer.status_code == 422
    assert "administer" in answer.json()["detail"]


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "", "scopes": ["read"]},
        {"name": "a\0b", "scopes": ["read"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": ["read"], "days": 0},
        {"name": "x", "scopes": ["read"], "days": 367},
        {"name": "x", "scopes": ["read"], "days": "NaN"},
        {"name": "x", "scopes": ["read"], "forever": True},
    ],
    ids=str,
)
async def test_what_cannot_be_a_token_is_refused(otto: httpx.AsyncClient, asked: dict[str, object]) -> None:
    assert (await otto.post("/users/me/tokens", json=asked)).status_code == 422
    assert (await otto.get("/users/me/tokens")).json()["items"] == []


async def test_a_name_is_given_once(otto: httpx.AsyncClient) -> None:
    assert (await make(otto)).status_code == 201
    assert (await make(otto)).status_code == 409


async def test_a_revoked_or_expired_token_is_refused_at_once(
    callers: Callers, otto: httpx.AsyncClient, database_url: str
) -> None:
    made = (await make(otto)).json()
    program = callers.with_token(made["token"])
    assert (await otto.delete(f"/users/me/tokens/{made['id']}")).json()["name"] == "report"
    assert (await program.get("/endpoints")).status_code == 401
    assert (await otto.delete(f"/users/me/tokens/{made['id']}")).status_code == 404
    late = callers.with_token((await make(otto)).json()["token"])
    assert (await late.get("/endpoints")).status_code == 200
    with psycopg.connect(database_url) as connection:
        connection.execute("update api_token set expires_at = now() - interval '1 s'")
    assert (await late.get("/endpoints")).status_code == 401


async def test_a_token_does_not_make_itself_another_nor_change_the_password(
    callers: Callers, otto: httpx.AsyncClient
) -> None:
    program = callers.with_token(callers.token("otto", Scope.READ, Scope.OPERATE))
    change = {"current": "correct horse battery", "password": "quite another pass phrase"}
    for answer in (
        await make(program),
        await program.get("/users/me/tokens"),
        await program.put("/users/me/password", json=change),
        await program.delete("/users/me/sessions"),
        await program.post("/auth/renew"),
    ):
        assert answer.status_code == 403
        assert "needs a login" in answer.json()["detail"]


async def test_the_last_use_of_a_token_is_seen(callers: Callers, otto: httpx.AsyncClient, parts: Parts) -> None:
    program = callers.with_token((await make(otto)).json()["token"])
    await program.get("/endpoints")
    await parts.last_uses.write(parts.engine)
    [listed] = (await otto.get("/users/me/tokens")).json()["items"]
    assert listed["last_used_at"] is not None
    assert listed["last_used_from"] == "127.0.0.1"


async def test_a_program_has_tokens_and_no_login(callers: Callers, administrator: httpx.AsyncClient) -> None:
    made = await administrator.post("/users", json={"name": "robot", "role": "operator", "program": True})
    assert (made.json()["password"], made.json()["has_password"]) == (None, False)
    for password in ("", "None", "correct horse battery"):
        form = {"username": "robot", "password": password}
        assert (await callers.nobody().post("/auth/token", data=form)).status_code in {401, 422}
    asked = {"name": "line 3", "scopes": ["operate"]}
    token = (await administrator.post("/users/robot/tokens", json=asked)).json()
    assert (await callers.with_token(token["token"]).get("/users/me")).json()["name"] == "robot"
    assert len((await administrator.get("/users/robot/tokens")).json()["items"]) == 1
    await administrator.delete(f"/users/robot/tokens/{token['id']}")
    assert (await callers.with_token(token["token"]).get("/users/me")).status_code == 401


async def test_nobody_makes_a_token_in_the_name_of_a_person(callers: Callers, administrator: httpx.AsyncClient) -> None:
    callers.add("viewer", "vera")
    answer = await administrator.post("/users/vera/tokens", json={"name": "x", "scopes": ["read"]})
    assert answer.status_code == 409
