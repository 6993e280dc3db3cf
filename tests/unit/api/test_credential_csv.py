"""A CSV file of credentials: what is wrong with which line."""

from __future__ import annotations

import csv
import io

import pytest
from pydantic import SecretStr

from flownexus_api import credential_csv
from flownexus_api.credential_bucket import MAX_CHANGES
from flownexus_api.errors import InvalidLines
from flownexus_runtime.live_credentials import LiveCredentials
from flownexus_runtime.sealing import CREDENTIALS, Sealer
from flownexus_schemas.credentials import X509Credential
from flownexus_schemas.errors import InvalidRequest

KEY = bytes(range(16)).hex()
HEADER = "endpoint,type,identity,key,subject,expires_at\n"
SEALER = Sealer(SecretStr("k" * 32), CREDENTIALS)
NOW = 1_700_000_000.0


def wrong(text: str, live: LiveCredentials | None = None) -> dict[int, str]:
    """Each line that cannot be taken, and why."""
    with pytest.raises(InvalidLines) as refused:
        put(text, LiveCredentials(None) if live is None else live)
    return dict(refused.value.lines)


def put(text: str, live: LiveCredentials) -> None:
    made = credential_csv.made_of(credential_csv.read(text.encode()), SEALER, NOW)
    credential_csv.added(live, made, NOW)


def test_lines_are_read_as_spreadsheets_write_them() -> None:
    text = f'\ufeffkey,endpoint,type\r\n"{KEY}","a,b",psk\r\n\r\n,c,psk\r\n'
    lines = credential_csv.read(text.encode())
    assert [(line.number, line.asked.endpoint) for line in lines] == [(2, "a,b"), (4, "c")]
    made = credential_csv.made_of(lines, SEALER, NOW)
    assert [made_key is None for _, (_, made_key) in made] == [True, False]


def test_each_line_that_cannot_be_taken_is_named_with_its_reason() -> None:
    text = HEADER + (f'a,psk,,{KEY},,\nb,psk,,{KEY}00112,,\n"c\nd",rpk,,,,\ne,x509,,,,\nf,psk\n,psk,i,,,yesterday\n')
    found = wrong(text)
    assert found.keys() == {3, 4, 6, 7, 8}
    assert found[3] == "key: a key has two digits for each byte, and these are 37"
    assert "'psk', 'x509'" in found[4]
    assert found[6] == "subject: Field required"
    assert found[7] == "it has 2 cells, and the header 6"
    assert "endpoint: Field required; " in found[8]
    assert KEY not in str(found)


def test_a_line_that_is_past_or_shows_what_another_does_is_named() -> None:
    live = LiveCredentials(None)
    known = X509Credential(id="k", endpoint="old", subject="cn:pump", created_at=0.0)
    live.apply("k", known.model_dump_json().encode(), 1)
    assert wrong(HEADER + "a,psk,,,,2001-01-01T00:00:00Z\n") == {
        2: "expires_at: it is past; a credential that counts ends later."
    }
    found = wrong(HEADER + "a,psk,i,,,\nb,x509,,,pump,\nc,psk,i,,,\n", live)
    assert found.keys() == {3, 4}
    assert "'cn:pump' is that of credential 'k' of 'old'" in found[3]
    assert found[4] == "what it shows is that of line 2 too"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "line 1: it is the header"),
        (b"endpoint;type\na;psk\n", "line 1: it is the header"),
        (b"endpoint,type,password\na,psk,x\n", "line 1: it is the header"),
        (b"endpoint,type,type\na,psk,psk\n", "line 1: it is the header"),
        (b"endpoint\na\n", "line 1: it is the header"),
        (b"endpoint,type\n", "no line below its header"),
        (b'endpoint,type\na,psk\n"b,psk\n', "line 3: it is not CSV"),
        (b"endpoint,type\n\xe4,psk\n", "line 2: it is not UTF-8 text"),
        (b"endpoint,type\n" + b"a,psk\n" * (MAX_CHANGES + 1), "at most 1000 go in at once"),
    ],
)
def test_what_is_no_such_file_says_what_one_is(text: bytes, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        credential_csv.read(text)


def test_a_file_that_is_written_has_no_formula_and_is_cut_into_pages() -> None:
    many = [X509Credential(id=f"c{number}", endpoint="=1+1", subject="cn:x", created_at=0.0) for number in range(2001)]
    pages = list(credential_csv.written(many, NOW))
    assert len(pages) == 4
    rows = list(csv.DictReader(io.StringIO(b"".join(pages).decode())))
    assert (len(rows), rows[0]["endpoint"], rows[0]["state"]) == (2001, "'=1+1", "active")
