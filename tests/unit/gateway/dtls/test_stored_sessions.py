"""A session as it is kept: everything that it needs comes back, and no number of a record twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flownexus_gateway.transport.dtls.association import Association
from flownexus_gateway.transport.dtls.authentication import Identity
from flownexus_gateway.transport.dtls.replay_window import ReplayWindow
from flownexus_gateway.transport.dtls.session import Session, SessionKeys
from flownexus_gateway.transport.dtls.stored_session import SessionSecrets, secrets_of, session_of
from flownexus_gateway.transport.dtls.suites import SUITES, TrafficKeys
from flownexus_gateway.transport.peer import Peer
from harness.dtls_wire import Credentials, Wire, psk_credential

keys = st.builds(TrafficKeys, st.binary(min_size=16, max_size=16), st.binary(min_size=4, max_size=4))
session_keys = st.builds(
    SessionKeys, st.sampled_from(list(SUITES)), keys, keys, st.binary(max_size=8), st.binary(max_size=8),
    st.sampled_from([512, 1 << 14]),
)  # fmt: skip
identities = st.builds(Identity, st.text(), st.text(min_size=1), st.text(), st.tuples(st.text()))


@given(session_keys, identities, st.integers(-1, 1 << 48), st.integers(0, (1 << 64) - 1), st.integers(0, 1 << 40))
def test_what_is_kept_comes_back(
    agreed: SessionKeys, identity: Identity, newest: int, seen: int, next_write: int
) -> None:
    path = Peer(("2001:db8::1", 7, 0, 0), None, lambda *_: None)
    association = Association(Session(agreed, next_write, ReplayWindow(newest, seen)), identity, path, 5.0)
    kept = secrets_of(association, next_write + 256).model_dump_json()
    session, who = session_of(SessionSecrets.model_validate_json(kept))
    assert (session.keys, who) == (agreed, identity)
    assert (session.window.newest, session.window.seen) == (newest, seen)
    assert session.next_write == session.write_limit == next_write + 256


def test_a_session_that_was_taken_up_writes_nothing_before_it_has_numbers() -> None:
    wire = Wire(Credentials(psk_credential()))
    client = wire.client(cid=b"c")
    client.handshake()
    association = client.say(b"x")
    association.session.write_limit = association.session.next_write
    asked: list[Association] = []
    association.on_low = asked.append
    for number in range(12):
        association.send(b"%d" % number)
    assert client.receive(0.1) is None
    assert asked
    association.session.write_limit += 256
    association.send_waiting()
    assert [client.receive(1) for _ in range(8)] == [b"%d" % number for number in range(8)]
    assert client.receive(0.1) is None, "what did not fit is lost, as on any network"
