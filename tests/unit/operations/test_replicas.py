"""How replicas share the endpoints."""

from __future__ import annotations

from flownexus_operations.replicas import GONE_AFTER_S, Replicas

ENDPOINTS = [f"device-{number}" for number in range(1000)]


def shares(*names: str) -> dict[str, set[str]]:
    found = {}
    for name in names:
        replicas = Replicas(name)
        for other in names:
            replicas.heard(other, 0)
        found[name] = {endpoint for endpoint in ENDPOINTS if replicas.is_ours(endpoint)}
    return found


def test_each_endpoint_is_one_replicas_and_each_has_its_share() -> None:
    found = shares("a", "b", "c")

    assert sorted(endpoint for share in found.values() for endpoint in share) == sorted(ENDPOINTS)
    assert all(len(share) > 200 for share in found.values())


def test_one_that_goes_leaves_the_others_what_they_have() -> None:
    three, two = shares("a", "b", "c"), shares("a", "b")

    assert three["a"] < two["a"]
    assert three["b"] < two["b"]


def test_one_without_a_sign_of_life_is_dead() -> None:
    replicas = Replicas("a")

    assert replicas.heard("b", 0)
    assert not replicas.heard("b", 1)
    assert not replicas.forget_dead(1 + GONE_AFTER_S)
    assert replicas.forget_dead(1.1 + GONE_AFTER_S)
    assert (replicas.is_alive("b"), replicas.alive) == (False, 1)
