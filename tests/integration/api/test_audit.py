"""The audit: every login and change, read and exported by administrators."""

from __future__ import annotations

import csv
import io
import json

import httpx
import psycopg
import pytest

from flownexus_api.scopes import Scope
from integration.api.callers import PASSWORD, Callers


@pytest.fixture
async def administrator(callers: Callers) -> httpx.AsyncClient:
    return await callers.log_in(callers.add("administrator", "ada"), address="192.0.2.9")


async def actions(client: httpx.AsyncClient, query: str = "") -> list[str]:
    return [entry["action"] for entry in (await client.get(f"/audit?{query}")).json()["items"]]


async def test_everything_done_to_accounts_is_there_with_who_and_from_where(
    callers: Callers, administrator: httpx.AsyncClient
) -> None:
    await administrator.post("/users", json={"name": "otto", "role": "viewer"})
    await administrator.patch("/users/otto", json={"role": "operator"})
    await administrator.post("/users/otto/password")
    await administrator.delete("/users/otto/sessions")
    made = (await administrator.post("/users/me/tokens", json={"name": "x", "scopes": ["administer"]})).json()
    await administrator.delete(f"/users/me/tokens/{made['id']}")
    change = {"current": PASSWORD, "password": "quite another pass phrase"}
    await administrator.put("/users/me/password", json=change)
    await administrator.delete("/users/otto")
    await callers.nobody().post("/auth/token", data={"username": "ada", "password": "wrong"})
    entries = (await administrator.get("/audit")).json()["items"]
    assert [(entry["actor"], entry["action"], entry["target"]) for entry in reversed(entries)] == [
        ("installation", "user.created", "ada"),
        ("ada", "login.succeeded", None),
        ("ada", "user.created", "otto"),
        ("ada", "user.changed", "otto"),
        ("ada", "password.reset", "otto"),
        ("ada", "sessions.ended", "otto"),
        ("ada", "token.created", "ada"),
        ("ada", "token.revoked", "ada"),
        ("ada", "password.changed", "ada"),
        ("ada", "user.deleted", "otto"),
        ("ada", "login.failed", None),
    ]
    assert {entry["source_address"] for entry in entries[1:-1]} == {"192.0.2.9"}
    assert entries[-4]["details"] == {"role": "operator"}
    written = json.dumps(entries)
    assert PASSWORD not in written
    assert made["token"] not in written


async def test_a_change_that_is_refused_is_not_there(administrator: httpx.AsyncClient) -> None:
    assert (await administrator.patch("/users/ada", json={"role": "viewer"})).status_code == 409
    assert (await administrator.delete("/users/nobody")).status_code == 404
    assert await actions(administrator, "actor=ada&action=user") == []


async def test_what_an_api_token_did_is_told_from_what_its_owner_did(
    callers: Callers, administrator: httpx.AsyncClient
) -> None:
    program = callers.with_token(callers.token("ada", Scope.ADMINISTER))
    name = (await program.get("/users/me")).json()["api_token"]
    await program.post("/users", json={"name": "otto", "role": "viewer"})
    await administrator.post("/users", json={"name": "grace", "role": "viewer"})
    [entry] = (await administrator.get(f"/audit?api_token={name}")).json()["items"]
    assert (entry["actor"], entry["action"], entry["target"]) == ("ada", "user.created", "otto")


async def test_it_is_filtered_and_paged(callers: Callers, administrator: httpx.AsyncClient, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into audit_entry (time, actor, action, target, source_address) select "
            "'2026-03-01T00:00:00Z'::timestamptz + n * interval '1 minute', 'otto', "
            "case n % 3 when 0 then 'login.failed' when 1 then 'login.succeeded' else 'loginning' end, 'node-' || n, "
            "'192.0.2.' || n % 2 from generate_series(0, 8) n"
        )
    assert len(await actions(administrator, "actor=otto")) == 9
    assert len(await actions(administrator, "actor=otto&action=login")) == 6
    assert len(await actions(administrator, "actor=otto&action=login.failed")) == 3
    assert await actions(administrator, "target=node-5") == ["loginning"]
    assert len(await actions(administrator, "actor=otto&address=192.0.2.1")) == 4
    assert len(await actions(administrator, "from=2026-03-01T00:01:00Z&to=2026-03-01T00:04:00Z")) == 3
    seen: list[int] = []
    cursor = ""
    while True:
        page = (await administrator.get(f"/audit?actor=otto&limit=4{cursor}")).json()
        seen += [entry["id"] for entry in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == 9
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("count", [999, 1000, 2001])
async def test_the_export_has_all_of_it(administrator: httpx.AsyncClient, database_url: str, count: int) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into audit_entry (actor, action, details) select 'otto', 'x', '{\"n\": 1}' "
            "from generate_series(1, %s)",
            [count],
        )
    exported = await administrator.get("/audit/export?format=ndjson&actor=otto")
    assert exported.headers["content-type"] == "application/x-ndjson"
    entries = [json.loads(line) for line in exported.text.splitlines()]
    assert len({entry["id"] for entry in entries}) == len(entries) == count
    assert entries[0]["details"] == {"n": 1}
    table = await administrator.get("/audit/export?actor=otto")
    assert table.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    assert len(list(csv.DictReader(io.StringIO(table.text)))) == count
    assert await actions(administrator, "action=audit") == ["audit.exported"] * 2


async def test_no_cell_is_a_formula(callers: Callers, administrator: httpx.AsyncClient) -> None:
    name = '=HYPERLINK("https://evil.example","x")\r\nadmin,'
    await callers.nobody().post("/auth/token", data={"username": name, "password": "x"})
    table = await administrator.get("/audit/export?action=login.failed")
    [row] = csv.DictReader(io.StringIO(table.text, newline=""))
    assert row["actor"] == f"'{name}"


async def test_others_do_not_read_it(callers: Callers) -> None:
    operator = await callers.of_role("operator")
    callers.add("administrator", "grace")
    program = callers.with_token(callers.token("grace", Scope.READ, Scope.OPERATE))
    for caller in (operator, program):
        assert (await caller.get("/audit")).status_code == 403
        assert (await caller.get("/audit/export")).status_code == 403
