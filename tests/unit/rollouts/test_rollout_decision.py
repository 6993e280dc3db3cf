"""What is decided about a rollout, case by case."""

from __future__ import annotations

from datetime import timedelta

from flownexus_schemas.firmware.update import UpdateStatus
from flownexus_schemas.rollouts.device import DeviceStatus, Recall
from flownexus_schemas.rollouts.lifecycle import GroupBegun, Paused, Resumed, Stopped
from flownexus_schemas.rollouts.rollout import AfterGroup, OnHalt, RolloutGroup, RolloutStatus, Watch
from unit.rollouts.worlds import NOW, World

SUCCEEDED, FAILED, CANCELLED = UpdateStatus.SUCCEEDED, UpdateStatus.FAILED, UpdateStatus.CANCELLED
Device = DeviceStatus


def strict(size: int) -> RolloutGroup:
    return RolloutGroup(size=size, succeeded_percent=100, failed_percent=0)


def test_groups_go_one_after_the_other_and_the_end_says_how_it_went() -> None:
    world = World.of(RolloutGroup(size=2), RolloutGroup(size=3))
    world.settle()
    assert world.begun() == ["1-1", "1-2"]
    world.end(SUCCEEDED, "1-1")
    assert world.begun() == ["1-2"]
    world.end(SUCCEEDED, "1-2")
    assert world.begun() == ["2-1", "2-2", "2-3"]
    assert world.rollout.last_action == "Group 2 of 2 begun: 2 of 2 of group 1 succeeded, 2 are enough."
    world.end(SUCCEEDED, *world.begun())
    assert (world.rollout.status, world.rollout.finished_at) == (RolloutStatus.FINISHED, NOW)
    assert world.rollout.last_action == "Finished: 5 succeeded."


def test_the_next_group_begins_when_enough_succeeded_and_the_rest_of_the_last_goes_on() -> None:
    world = World.of(RolloutGroup(size=10, succeeded_percent=70, failed_percent=30), RolloutGroup(size=1))
    world.settle()
    world.end(FAILED, "1-1", "1-2")
    world.end(SUCCEEDED, *(f"1-{number}" for number in range(3, 9)))
    assert world.those(Device.WAITING) == ["2-1"]
    world.end(SUCCEEDED, "1-9")
    assert world.begun() == ["1-10", "2-1"]
    world.end(SUCCEEDED, "2-1", "1-10")
    assert world.rollout.last_action == "Finished: 9 succeeded, 2 failed."


def test_it_halts_when_more_failed_than_the_group_is_allowed_and_takes_back_what_is_under_way() -> None:
    world = World.of(RolloutGroup(size=10, succeeded_percent=50, failed_percent=10), RolloutGroup(size=5))
    world.settle()
    world.end(FAILED, "1-3")
    assert world.status == "RUNNING"
    world.end(FAILED, "1-7")
    assert world.status == "HALTED"
    assert world.rollout.last_action == (
        "Halted: 2 of 10 devices of group 1 failed, more than 10 %: "
        "1-3 (Its update failed: It failed), 1-7 (Its update failed: It failed)."
    )
    under_way = [f"1-{number}" for number in (1, 2, 4, 5, 6, 8, 9, 10)]
    assert world.those(Device.RECALLED) == under_way
    world.end(SUCCEEDED, "1-1")  # too late to take it back
    world.end(CANCELLED, *under_way[1:])
    assert world.those(Device.WAITING)[:7] == under_way[1:]
    assert world.begun() == []


def test_a_halted_rollout_that_leaves_updates_alone_waits_for_their_end() -> None:
    world = World.of(strict(3), changes={"on_halt": OnHalt.LEAVE})
    world.settle()
    world.end(FAILED, "1-1")
    assert world.status == "HALTED"
    assert world.those(Device.UPDATING) == ["1-2", "1-3"]


def test_it_halts_when_the_next_group_can_never_begin() -> None:
    world = World.of(RolloutGroup(size=4, succeeded_percent=75, failed_percent=100), RolloutGroup(size=1))
    world.settle()
    world.end(FAILED, "1-1")
    assert world.status == "RUNNING"
    world.end(FAILED, "1-2")
    assert world.status == "HALTED"
    assert "at most 2 of 4 devices of group 1 can succeed, and group 2 waits for 3" in world.rollout.last_action


def test_the_last_group_may_fail_up_to_its_limit() -> None:
    world = World.of(RolloutGroup(size=4, succeeded_percent=75, failed_percent=100))
    world.settle()
    world.end(FAILED, *world.begun())
    assert world.rollout.last_action == "Finished: 4 failed."


def test_after_a_resume_what_failed_before_counts_no_more_and_what_was_taken_back_is_asked_for_again() -> None:
    world = World.of(strict(4), strict(1))
    world.settle()
    world.end(FAILED, "1-1")
    world.end(CANCELLED, "1-2", "1-3", "1-4")
    world.later(60)
    world.happen(Resumed("olga"))
    world.settle()
    assert world.rollout.last_action == "Resumed by olga. Devices that failed until now are set aside."
    assert (world.begun(), world.device("1-2").attempt) == (["1-2", "1-3", "1-4"], 2)
    world.end(SUCCEEDED, *world.begun())
    assert world.begun() == ["2-1"]
    world.later(60)
    world.end(FAILED, "2-1")
    assert world.status == "HALTED"


def test_a_resume_of_a_paused_rollout_sets_nothing_aside() -> None:
    world = World.of(RolloutGroup(size=10, failed_percent=10))
    world.settle()
    world.end(FAILED, "1-1")
    world.happen(Paused("olga"))
    world.happen(Resumed("olga"))
    world.end(FAILED, "1-2")
    assert world.status == "HALTED"


def test_a_paused_rollout_begins_nothing_lets_go_on_what_is_under_way_and_halts_where_it_goes_wrong() -> None:
    world = World.of(strict(4), changes={"in_flight": 2})
    world.settle()
    world.happen(Paused("olga"))
    world.end(SUCCEEDED, "1-1")
    assert (world.begun(), world.those(Device.WAITING)) == (["1-2"], ["1-3", "1-4"])
    world.end(FAILED, "1-2")
    assert world.status == "HALTED"


def test_a_group_after_which_somebody_is_to_look_pauses_once() -> None:
    world = World.of(RolloutGroup(size=1, then=AfterGroup.PAUSE), RolloutGroup(size=1))
    world.settle()
    world.end(SUCCEEDED, "1-1")
    assert (world.status, world.begun()) == ("PAUSED", [])
    assert world.rollout.last_action.startswith("Paused after group 1, as planned")
    world.happen(Resumed("olga"))
    world.settle()
    assert world.begun() == ["2-1"]


def test_somebody_begins_the_next_group_without_waiting() -> None:
    world = World.of(RolloutGroup(size=2), RolloutGroup(size=1))
    world.settle()
    world.happen(GroupBegun(2, "it is wanted so", "olga"))
    world.settle()
    assert world.begun() == ["1-1", "1-2", "2-1"]
    assert world.rollout.last_action == "Group 2 of 2 begun by olga: it is wanted so."


def test_a_stopped_rollout_takes_back_what_is_under_way_and_then_settles() -> None:
    world = World.of(strict(3), changes={"in_flight": 2})
    world.settle()
    world.happen(Stopped("olga"))
    world.settle()
    assert world.those(Device.RECALLED) == ["1-1", "1-2"]
    assert world.rollout.is_open
    world.end(SUCCEEDED, "1-1")
    world.end(CANCELLED, "1-2")
    assert [world.device(f"1-{number}").status for number in (1, 2, 3)] == [
        Device.SUCCEEDED,
        Device.CANCELLED,
        Device.WAITING,
    ]
    assert (world.rollout.status, world.rollout.is_open) == (RolloutStatus.STOPPED, False)


def test_an_update_that_somebody_cancels_counts_neither_for_nor_against() -> None:
    world = World.of(strict(3), strict(1))
    world.settle()
    world.end(CANCELLED, "1-1")
    assert world.device("1-1").status is Device.CANCELLED
    world.end(SUCCEEDED, "1-2", "1-3")
    assert world.begun() == ["2-1"]


def test_an_update_that_takes_too_long_is_taken_back_and_failed() -> None:
    world = World.of(RolloutGroup(size=2, failed_percent=100), changes={"give_up_after_s": 60})
    world.settle()
    world.end(SUCCEEDED, "1-1")
    world.later(59)
    world.settle()
    assert world.those(Device.RECALLED) == []
    world.later(1)
    for step in world.decided():
        world.carry_out(step)
    assert (world.those(Device.RECALLED), world.device("1-2").recall) == (["1-2"], Recall.TIME)
    world.settle()  # it does not wait until the device is heard and drops the image
    assert world.device("1-2").status is Device.FAILED
    assert world.device("1-2").last_action.startswith("Its update is taken back: it took more than 60 s")
    assert world.rollout.last_action == "Finished: 1 succeeded, 1 failed."


def test_a_device_that_installs_for_too_long_cannot_be_taken_back_and_is_failed() -> None:
    world = World.of(RolloutGroup(size=1, failed_percent=0), changes={"give_up_after_s": 60})
    world.settle()
    world.change("1-1", UpdateStatus.VERIFYING)
    world.later(60)
    world.settle()
    assert (world.device("1-1").status, world.status) == (Device.FAILED, "HALTED")
    assert world.those(Device.RECALLED) == []


def test_nothing_begins_before_its_time() -> None:
    world = World.of(strict(1), changes={"starts_at": NOW + timedelta(seconds=10)})
    world.settle()
    assert world.happened == []
    world.later(10)
    world.settle()
    assert world.begun() == ["1-1"]


def test_a_busy_device_is_passed_by_and_has_its_turn_later() -> None:
    world = World.of(strict(3), changes={"in_flight": 2})
    world.busy = {"1-1"}
    world.settle()
    assert world.begun() == ["1-2", "1-3"]
    world.busy = set()
    world.end(SUCCEEDED, "1-2")
    assert world.begun() == ["1-1", "1-3"]


def test_an_update_that_was_not_asked_for_when_the_rollout_halted_waits_again() -> None:
    world = World.of(strict(2))
    for _ in range(2):
        for step in world.decided():
            world.carry_out(step)
    assert world.updates == {}  # both are begun, and whoever was to ask for their updates died
    world.happen(Stopped("olga"))
    world.settle()
    assert (world.those(Device.WAITING), world.updates) == (["1-1", "1-2"], {})
    assert not world.rollout.is_open


def test_a_device_that_was_being_updated_is_brought_back_where_the_update_came_too_far_only() -> None:
    world = World.of(strict(3), origin_under_way=True)
    world.origins = {"1-1": Device.RECALLED, "1-2": Device.CANCELLED, "1-3": Device.WATCHED}
    world.settle()
    assert [world.device(f"1-{number}").status for number in (1, 2, 3)] == [
        Device.WAITING,
        Device.LEFT_OUT,
        Device.UPDATING,
    ]
    world.origins["1-1"] = Device.SUCCEEDED
    world.end(SUCCEEDED, "1-3")
    world.end(SUCCEEDED, "1-1")
    assert world.rollout.last_action == "Finished: 2 succeeded, 1 left out."


def test_a_watched_device_that_goes_quiet_or_reboots_counts_as_failed() -> None:
    watch = Watch(seconds=600, more_registrations=1)
    world = World.of(RolloutGroup(size=20, failed_percent=10), strict(1), changes={"watch": watch})
    world.settle()
    world.end(SUCCEEDED, *world.begun())
    assert len(world.those(Device.WATCHED)) == 20
    for _ in range(2):
        world.later(30)
        world.heard("1-1", registered=True)
    world.settle()
    assert world.device("1-1").status is Device.REBOOTING
    world.later(60)
    for endpoint in world.those(Device.WATCHED)[:-2]:
        world.heard(endpoint)
    world.settle()
    assert world.those(Device.QUIET) == ["1-19", "1-20"]
    assert world.status == "HALTED"
    assert "3 of 20 devices of group 1 failed, more than 10 %" in world.rollout.last_action
    assert "1-1 (It registered 2 times since its update, 0 times in as long before)" in world.rollout.last_action
    assert "1-19 (It was not heard for 2 minutes after its update)" in world.rollout.last_action


def test_the_next_group_waits_until_the_devices_of_the_last_were_well_for_long_enough() -> None:
    world = World.of(strict(1), strict(1), changes={"watch": Watch(seconds=40)})
    world.settle()
    world.end(SUCCEEDED, "1-1")
    world.later(39)
    world.settle()
    assert world.begun() == []
    world.later(1)
    world.settle()
    assert world.begun() == ["2-1"]
