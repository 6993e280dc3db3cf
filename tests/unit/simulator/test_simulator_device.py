"""The life of a simulated device against a server played by the test, datagram by datagram; time is an argument."""

from __future__ import annotations

from dataclasses import replace

import cbor2

from flownexus_simulator.behaviour import Behaviour
from flownexus_simulator.coap import Option, decode
from flownexus_simulator.ledger import Outcome
from flownexus_simulator.registering import Standing
from unit.simulator.bench import (
    ACK,
    CHANGED,
    CON,
    CONTENT,
    CREATED,
    DELETE,
    DELETED,
    FETCH,
    GET,
    NON,
    POST,
    PUT,
    RST,
    SENML_CBOR,
    START,
    Bench,
    datagram,
    registered,
)


def test_register_says_what_lwm2m_1_1_asks_for() -> None:
    bench = Bench()
    bench.device.start(START)
    register = bench.one()
    assert (register.type, register.code) == (CON, POST)
    assert register.texts(Option.URI_PATH) == ["rd"]
    assert register.texts(Option.URI_QUERY) == ["lwm2m=1.1", "ep=sim-1", "lt=300", "b=U"]
    assert register.number(Option.CONTENT_FORMAT) == 40
    assert register.payload == (
        b"</>;ct=112,</1>;ver=1.1,</1/0>,</3>;ver=1.1,</3/0>,</5/0>,</6/0>,</3303/0>,</10300/0>"
    )


def test_queue_mode_is_a_bare_q_and_a_sleeping_device_hears_nothing() -> None:
    bench = Bench(Behaviour(interval_s=1000.0, queue_mode=True, awake_window_s=20.0))
    bench.device.start(START)
    register = bench.one()
    assert register.texts(Option.URI_QUERY)[-1] == "Q"
    bench.answer(register, CREATED, ((8, b"rd"), (8, b"a1")))
    bench.now += 19
    assert bench.observe_temperature().code == CONTENT
    bench.now += 21
    bench.give(datagram(CON, GET, 1, b"x", ((11, b"3"), (11, b"0"))))
    assert bench.sent() == []


def test_register_is_repeated_while_the_server_is_silent_and_later_anew() -> None:
    bench = Bench(Behaviour(interval_s=10_000.0))
    bench.device.start(START)
    first = bench.outbox[0]
    for _ in range(4):
        bench.pass_until_due()
    assert bench.outbox == [first] * 5
    bench.sent()
    while not bench.outbox:
        bench.pass_until_due()
    assert bench.now - START > 62 + 5
    again = bench.one()
    assert again.payload == decode(first).payload
    assert again.mid != decode(first).mid


def test_a_separate_response_to_register_is_acknowledged_and_taken() -> None:
    bench = Bench()
    bench.device.start(START)
    register = bench.one()
    bench.give(datagram(ACK, 0, register.mid))
    bench.give(datagram(CON, CREATED, 99, register.token, ((8, b"rd"), (8, b"a1"))))
    assert bench.one()[:3] == (ACK, 0, 99)
    assert bench.device.standing is Standing.REGISTERED
    bench.give(datagram(CON, CREATED, 99, register.token, ((8, b"rd"), (8, b"a1"))))
    assert bench.one()[:3] == (ACK, 0, 99)


def test_update_goes_to_the_location_before_the_lifetime_ends() -> None:
    bench = registered(Behaviour(interval_s=10_000.0, lifetime_s=300))
    while not bench.outbox:
        bench.pass_until_due()
    update = bench.one()
    assert (update.code, update.texts(Option.URI_PATH), update.texts(Option.URI_QUERY)) == (POST, ["rd", "a1"], [])
    assert 200 <= bench.now - START < 300
    bench.answer(update, CHANGED)
    assert bench.statistics.updates == 1


def test_an_update_answered_4_04_becomes_a_register_at_once() -> None:
    bench = registered(Behaviour(interval_s=10_000.0))
    while not bench.outbox:
        bench.pass_until_due()
    bench.answer(bench.one(), 0x84)
    assert bench.one().texts(Option.URI_PATH) == ["rd"]


def test_a_written_lifetime_is_told_in_an_update() -> None:
    bench = registered(Behaviour(interval_s=10_000.0))
    bench.mid += 1
    bench.give(datagram(CON, PUT, bench.mid, b"W", ((11, b"1"), (11, b"0"), (11, b"1"), (12, b"")), payload=b"60"))
    answer, update = bench.sent()
    assert (answer.type, answer.code) == (ACK, CHANGED)
    assert update.texts(Option.URI_QUERY) == ["lt=60"]


def test_an_observed_temperature_is_notified_with_its_own_time() -> None:
    bench = registered()
    first = bench.observe_temperature()
    assert (first.type, first.code, first.number(Option.OBSERVE)) == (ACK, CONTENT, 0)
    assert cbor2.loads(first.payload)[0][-2] == "/3303/0/"
    bench.pass_until_due()
    notification = bench.one()
    assert (notification.type, notification.code, notification.token) == (CON, CONTENT, b"T1")
    assert notification.number(Option.OBSERVE) == 1
    (record,) = cbor2.loads(notification.payload)
    assert 0 <= bench.now - record[-3] < 0.002
    bench.give(datagram(ACK, 0, notification.mid))
    ((entry, outcome),) = bench.fates
    assert outcome is Outcome.ACKNOWLEDGED
    assert (entry.time, entry.leaves[0][1].value) == (record[-3], record[2])
    assert bench.statistics.acknowledged == 1


def test_one_notification_is_under_way_at_a_time_and_the_rest_keep_their_times() -> None:
    bench = registered()
    bench.observe_temperature()
    bench.pass_until_due()
    first = bench.one()
    for second in range(1, 4):
        bench.now = START + 1 + second
        bench.device.tick(bench.now)
    assert {item.mid for item in bench.sent()} <= {first.mid}
    times = []
    mid = first.mid
    for _ in range(3):
        bench.give(datagram(ACK, 0, mid))
        notification = bench.one()
        mid = notification.mid
        times.append(cbor2.loads(notification.payload)[0][-3])
    assert times == sorted(set(times))
    assert times[-1] - times[0] >= 1.9


def test_a_composite_observation_is_one_notification_of_the_whole_object() -> None:
    bench = registered()
    body = cbor2.dumps([{0: "/10300"}])
    first = bench.request(FETCH, ((6, b""), (12, SENML_CBOR), (17, SENML_CBOR)), body, token=b"C")
    assert [record[0] for record in cbor2.loads(first.payload)] == [str(number) for number in range(7)]
    bench.pass_until_due()
    notification = bench.one()
    assert notification.token == b"C"
    assert len(cbor2.loads(notification.payload)) == 7


def test_a_server_that_is_silent_to_a_notification_gets_a_register() -> None:
    bench = registered(Behaviour(interval_s=100.0))
    bench.observe_temperature()
    while not bench.outbox:
        bench.pass_until_due()
    bench.sent()
    while bench.statistics.timed_out == 0:
        bench.pass_until_due()
    assert bench.sent()[-1].texts(Option.URI_PATH) == ["rd"]
    assert bench.statistics.retransmissions == 4


def test_what_is_measured_while_registering_anew_is_sent_to_the_next_observation() -> None:
    bench = registered()
    bench.observe_temperature(b"T1")
    while bench.statistics.timed_out == 0:
        bench.pass_until_due()
    register = bench.sent()[-1]
    assert bench.observe_temperature(b"T2").code == CONTENT
    bench.answer(register, CREATED, ((8, b"rd"), (8, b"a2")))
    stored = bench.one()
    assert stored.token == b"T2"
    assert bench.now - cbor2.loads(stored.payload)[0][-3] > 30


def test_observations_from_before_a_register_are_over_if_the_server_does_not_repeat_them() -> None:
    bench = registered()
    bench.observe_temperature()
    while bench.statistics.timed_out == 0:
        bench.pass_until_due()
    bench.answer(bench.sent()[-1], CREATED, ((8, b"rd"), (8, b"a2")))
    made = bench.statistics.notifications
    for _ in range(5):
        bench.pass_until_due()
    assert bench.statistics.notifications == made


def test_a_reset_ends_the_observation_of_its_token_alone() -> None:
    bench = registered()
    bench.observe_temperature(b"T1")
    bench.pass_until_due()
    notification = bench.one()
    bench.observe_temperature(b"T2")
    bench.give(datagram(RST, 0, notification.mid))
    assert bench.fates[-1][1] is Outcome.RESET
    bench.pass_until_due()
    assert bench.one().token == b"T2"


def test_observe_1_ends_an_observation() -> None:
    bench = registered()
    bench.observe_temperature()
    answer = bench.request(GET, ((6, b"\x01"), (11, b"3303"), (11, b"0"), (11, b"5700")))
    assert answer.code == CONTENT
    assert answer.number(Option.OBSERVE) is None
    for _ in range(3):
        bench.pass_until_due()
    assert bench.statistics.notifications == 0


def test_notifications_that_nobody_acknowledges_do_not_wait() -> None:
    bench = registered(Behaviour(interval_s=1.0, confirmable=False))
    bench.observe_temperature()
    for _ in range(3):
        bench.pass_until_due()
    assert [message.type for message in bench.sent()] == [NON] * 3
    assert bench.statistics.unconfirmed == 3


def test_a_repeated_request_is_executed_once_and_answered_twice() -> None:
    bench = registered(Behaviour(interval_s=10_000.0))
    trigger = datagram(CON, POST, 5, b"E", ((11, b"1"), (11, b"0"), (11, b"8")))
    bench.give(trigger)
    answer, update = bench.sent()
    bench.answer(update, CHANGED)
    bench.give(trigger)
    assert bench.one() == answer
    assert bench.statistics.updates == 1
    assert [(one.path, one.code) for one in bench.served] == [("1/0/8", CHANGED)]


def test_a_ping_is_answered_with_reset() -> None:
    bench = registered()
    bench.give(datagram(CON, 0, 77))
    assert bench.one()[:3] == (RST, 0, 77)


def test_leaving_deregisters_at_the_location() -> None:
    bench = registered()
    bench.observe_temperature()
    bench.pass_until_due()
    bench.sent()
    bench.device.leave(bench.now)
    delete = bench.one()
    assert (delete.code, delete.texts(Option.URI_PATH)) == (DELETE, ["rd", "a1"])
    assert bench.fates[-1][1] is Outcome.UNFINISHED
    bench.answer(delete, DELETED)
    assert bench.device.standing is Standing.GONE
    assert bench.device.due() is None


def test_leaving_while_registering_deregisters_after_the_answer() -> None:
    bench = Bench()
    bench.device.start(START)
    register = bench.one()
    bench.device.leave(START)
    assert bench.sent() == []
    bench.answer(register, CREATED, ((8, b"rd"), (8, b"a1")))
    assert bench.one().code == DELETE


def test_a_reboot_registers_again() -> None:
    bench = registered(Behaviour(interval_s=10_000.0))
    assert bench.request(POST, ((11, b"3"), (11, b"0"), (11, b"4"))).code == CHANGED
    bench.pass_until_due()
    assert bench.one().texts(Option.URI_PATH) == ["rd"]


def test_more_than_can_be_stored_drops_the_oldest() -> None:
    bench = registered(replace(Behaviour(interval_s=0.1), lifetime_s=86_400))
    bench.observe_temperature()
    while bench.statistics.dropped == 0:
        bench.pass_until_due()
    dropped = [entry for entry, outcome in bench.fates if outcome is Outcome.DROPPED]
    assert dropped[0].time < bench.now - 40
