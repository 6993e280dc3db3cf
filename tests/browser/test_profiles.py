"""Tags, and what devices said to their profile, in a browser."""

from __future__ import annotations

from playwright.sync_api import expect

from harness.lockstep import BAD_REQUEST, GET, PUT, TLV, LockstepDevice
from harness.system import RunningSystem
from harness.watched_page import OpenPage

TLV_21_5 = b"\xe4\x16\x44\x41\xac\x00\x00"
"""Resource 5700, four bytes, the float 21.5. LwM2M Core 1.1.1, 7.4.3."""


def test_tags_and_refused_attributes_are_shown(system: RunningSystem, open_page: OpenPage) -> None:
    name, entry = "shed-1", {"path": "3303/0/5700", "attributes": {"pmin": 10}}
    with system.api() as api, LockstepDevice(system.coap_port, name) as device:
        api.put("/api/v1/profiles/sheds", json={"tags": ["shed"], "observe": [entry]}).raise_for_status()
        api.put(f"/api/v1/endpoints/{name}/tags", json={"tags": ["north", "shed"]}).raise_for_status()
        device.register("</3303/0>")
        device.answer(device.expect_request(PUT, "3303/0/5700"), BAD_REQUEST, b"no attributes")
        device.answer(device.expect_request(GET, "3303/0/5700"), payload=TLV_21_5, content_format=TLV, observe=0)
        page = open_page(f"/endpoints/{name}").page
        expect(page.locator(".facts-title .tag")).to_have_text(["north", "shed"])
        observations = page.get_by_label("Observations")
        expect(observations).to_contain_text("established")
        expect(observations.locator(".attributes.bad")).to_have_text("pmin=10")
        expect(observations).to_contain_text("4.00 3303/0/5700: no attributes")
        fleet = open_page(f"/?q={name}").page
        expect(fleet.locator(".fleet tbody tr .tag")).to_have_text(["north", "shed"])
        api.delete("/api/v1/profiles/sheds").raise_for_status()
