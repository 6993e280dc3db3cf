"""Users as administrators manage them over the api."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import httpx
import pytest

from integration.api.callers import PASSWORD, Callers

LONG = "quite another pass phrase"


@pytest.fixture
async def administrator(callers: Callers) -> httpx.AsyncClient:
    callers.add("administrator", "ada")
    return await callers.log_in("ada")


async def names(client: httpx.AsyncClient, query: str = "") -> list[str]:
    return [user["name"] for user in (await client.get(f"/users{query}")).json()["items"]]


async def test_a_user_is_made_with_a_password_that_is_changed_first_of_all(
    callers: Callers, administrator: httpx.AsyncClient
) -> None:
    made = (await administrator.post("/users", json={"name": "otto", "role": "operator"})).json()
    assert (made["role"], made["disabled"], made["must_change_password"]) == ("operator", False, True)
    otto = await callers.log_in("otto", made["password"])
    refused = await otto.get("/endpoints")
    assert refused.status_code == 403
    assert "Change your password first" in refused.json()["detail"]
    assert (await otto.get("/users/me")).json()["must_change_password"]
    change = {"current": made["password"], "password": LONG}
    assert (await otto.put("/users/me/password", json=change)).status_code == 200
    assert (await otto.get("/endpoints")).status_code == 200
    assert "password" not in (await administrator.get("/users/otto")).json()


async def test_a_password_that_is_given_is_not_answered(administrator: httpx.AsyncClient) -> None:
    answer = await administrator.post("/users", json={"name": "otto", "role": "viewer", "password": LONG})
    assert (answer.status_code, answer.json()["password"]) == (201, None)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"name": "otto", "role": "viewer", "password": "short"}, "15 to 1024"),
        ({"name": "otto", "role": "viewer", "password": "passwordpassword"}, "easily guessed"),
        ({"name": "otto", "role": "root"}, "body.role"),
        ({"name": "me", "role": "viewer"}, "cannot be named"),
        ({"name": " otto", "role": "viewer"}, "no space"),
        ({"name": "ot\0to", "role": "viewer"}, "printable"),
        ({"name": "otto", "role": "viewer", "program": True, "password": LONG}, "leave it out"),
        ({"name": "otto", "role": "viewer", "admin": True}, "body.admin"),
    ],
)
async def test_what_cannot_be_a_user_is_refused(
    administrator: httpx.AsyncClient, asked: dict[str, object], said: str
) -> None:
    answer = await administrator.post("/users", json=asked)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert await names(administrator) == ["ada"]


async def test_a_name_is_taken_once_even_at_one_moment(administrator: httpx.AsyncClient) -> None:
    asked = [administrator.post("/users", json={"name": "otto", "role": "viewer"}) for _ in range(5)]
    statuses = sorted([answer.status_code for answer in await asyncio.gather(*asked)])
    assert statuses == [201, 409, 409, 409, 409]


async def test_users_are_listed_by_name_in_pages(callers: Callers, administrator: httpx.AsyncClient) -> None:
    for name in ("b", "c/d", "e%"):
        callers.add("viewer", name)
    first = (await administrator.get("/users?limit=2")).json()
    assert [user["name"] for user in first["items"]] == ["ada", "b"]
    assert await names(administrator, f"?cursor={first['next']}") == ["c/d", "e%"]
    for name in ("c/d", "e%"):
        assert (await administrator.get(f"/users/{quote(name, safe='')}")).json()["name"] == name
    for nowhere in ("nobody", "%00"):
        assert (await administrator.get(f"/users/{nowhere}")).status_code == 404


async def test_another_role_is_in_force_at_once(callers: Callers, administrator: httpx.AsyncClient) -> None:
    otto = await callers.log_in(callers.add("operator", "otto"))
    assert (await otto.get("/users")).status_code == 403
    assert (await administrator.patch("/users/otto", json={"role": "administrator"})).status_code == 200
    assert (await otto.get("/users")).status_code == 200
    assert (await administrator.patch("/users/otto", json={"role": "viewer"})).json()["role"] == "viewer"
    assert (await otto.get("/users")).status_code == 403


async def test_who_is_disabled_is_out_at_once_and_does_not_come_back_by_an_old_session(
    callers: Callers, administrator: httpx.AsyncClient
) -> None:
    otto = await callers.log_in(callers.add("operator", "otto"))
    assert (await administrator.patch("/users/otto", json={"disabled": True})).json()["disabled"]
    assert (await otto.get("/endpoints")).status_code == 401
    form = {"username": "otto", "password": PASSWORD}
    assert (await callers.nobody().post("/auth/token", data=form)).status_code == 401
    assert not (await administrator.patch("/users/otto", json={"disabled": False})).json()["disabled"]
    assert (await otto.get("/endpoints")).status_code == 401
    assert (await callers.nobody().post("/auth/token", data=form)).status_code == 200


async def test_a_deleted_user_is_gone_and_the_name_is_free(callers: Callers, administrator: httpx.AsyncClient) -> None:
    otto = await callers.log_in(callers.add("operator", "otto"))
    assert (await administrator.delete("/users/otto")).json()["name"] == "otto"
    assert (await otto.get("/endpoints")).status_code == 401
    assert (await administrator.delete("/users/otto")).status_code == 404
    callers.add("viewer", "otto")


async def test_a_reset_password_ends_the_sessions_and_is_changed_first(
    callers: Callers, administrator: httpx.AsyncClient
) -> None:
    otto = await callers.log_in(callers.add("operator", "otto"))
    password = (await administrator.post("/users/otto/password")).json()["password"]
    assert (await otto.get("/endpoints")).status_code == 401
    again = await callers.log_in("otto", password)
    assert (await again.get("/endpoints")).status_code == 403


async def test_an_administrator_logs_somebody_out_everywhere(
    callers: Callers, administrator: httpx.AsyncClient
) -> None:
    callers.add("viewer", "otto")
    there = [await callers.log_in("otto") for _ in range(2)]
    assert (await administrator.delete("/users/otto/sessions")).json() == {"ended": 2}
    assert [(await one.get("/users/me")).status_code for one in there] == [401, 401]


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"disabled": True}, None], ids=str)
async def test_the_last_administrator_stays(
    callers: Callers, administrator: httpx.AsyncClient, change: dict[str, object] | None
) -> None:
    async def leave() -> httpx.Response:
        if change is None:
            return await administrator.delete("/users/ada")
        return await administrator.patch("/users/ada", json=change)

    # A program cannot log in to help.
    await administrator.post("/users", json={"name": "robot", "role": "administrator", "program": True})
    answer = await leave()
    assert answer.status_code == 409
    assert "make another one first" in answer.json()["detail"]
    assert (await administrator.get("/users/ada")).json()["role"] == "administrator"
    callers.add("administrator", "grace")
    assert (await leave()).status_code == 200


async def test_two_administrators_cannot_remove_each_other_at_one_moment(callers: Callers) -> None:
    ada = await callers.log_in(callers.add("administrator", "ada"))
    grace = await callers.log_in(callers.add("administrator", "grace"))
    answers = await asyncio.gather(ada.delete("/users/grace"), grace.delete("/users/ada"))
    assert sorted(answer.status_code for answer in answers) in ([200, 401], [200, 409])
