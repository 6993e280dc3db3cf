"""CoRE links: RFC 6690's own examples, lists that real clients send, and anything at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.errors import InvalidLink
from flownexus_schemas.lwm2m.link_format import Link, format_links, parse_links, salvage_links


def fault(text: str) -> str:
    with pytest.raises(InvalidLink) as caught:
        parse_links(text)
    return str(caught.value)


# RFC 6690, 5.
EXAMPLE = (
    '</sensors>;ct=40;title="Sensor Index",</sensors/temp>;rt="temperature-c";if="sensor",'
    '</sensors/light>;rt="light-lux";if="sensor",'
    '<http://www.example.com/sensors/t123>;anchor="/sensors/temp";rel="describedby",'
    '</t>;anchor="/sensors/temp";rel="alternate"'
)


def test_example_of_the_rfc_is_read() -> None:
    assert parse_links(EXAMPLE) == [
        Link("/sensors", (("ct", "40"), ("title", "Sensor Index"))),
        Link("/sensors/temp", (("rt", "temperature-c"), ("if", "sensor"))),
        Link("/sensors/light", (("rt", "light-lux"), ("if", "sensor"))),
        Link("http://www.example.com/sensors/t123", (("anchor", "/sensors/temp"), ("rel", "describedby"))),
        Link("/t", (("anchor", "/sensors/temp"), ("rel", "alternate"))),
    ]


def test_example_of_the_rfc_is_written_as_it_stands() -> None:
    assert format_links(parse_links(EXAMPLE)) == EXAMPLE


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("</>;ct=112", Link("/", (("ct", "112"),))),
        ("</3>;ver=1.0", Link("/3", (("ver", "1.0"),))),
        ('</3>;ver="1.1"', Link("/3", (("ver", "1.1"),))),
        ('</>;rt="oma.lwm2m";ct="110 112"', Link("/", (("rt", "oma.lwm2m"), ("ct", "110 112")))),
        # LwM2M Core 1.1.1, 6.3.3: Discover of a resource with attributes, a dimension, and a bare attribute.
        ("</3/0/6>;dim=8;pmin=10;gt=-2.5", Link("/3/0/6", (("dim", "8"), ("pmin", "10"), ("gt", "-2.5")))),
        ("</3/0/7>;obs", Link("/3/0/7", (("obs", None),))),
        ('</a>;title="say \\"hi\\", then; go"', Link("/a", (("title", 'say "hi", then; go'),))),
        ("</a>;title*=UTF-8'en'x", Link("/a", (("title*", "UTF-8'en'x"),))),
        ('</a>;title=""', Link("/a", (("title", ""),))),
        ("<>", Link("")),
    ],
)
def test_link_is_read(text: str, link: Link) -> None:
    assert parse_links(text) == [link]


@pytest.mark.parametrize(
    "text",
    ["</1>,</2>", " </1> , </2> ", "</1>,,</2>,", ",</1>;,</2>;", "</1>\r\n,\t</2>"],
)
def test_spaces_and_surplus_separators_are_taken(text: str) -> None:
    assert [link.target for link in parse_links(text)] == ["/1", "/2"]


@pytest.mark.parametrize("text", ["", "  ", ",", " , ,"])
def test_nothing_has_no_links(text: str) -> None:
    assert parse_links(text) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/1", "a link begins with <target>: character 0"),
        ("</1", "a link begins with <target>: character 0"),
        ("</1> </2>", "',' or ';' belongs here: character 5"),
        ("</1>;=3", "the name of an attribute belongs here: character 5"),
        ("</1>;ver=", "the value of an attribute belongs here: character 9"),
        ('</1>;ver="1.1', "a quoted value has no end, or has control characters: character 9"),
        ('</1>;ver="1\x001"', "a quoted value has no end"),
        ("</1 2>", "a link begins with <target>"),
        ("<</1>>", "a link begins with <target>"),
    ],
)
def test_fault_is_named_with_its_place(text: str, told: str) -> None:
    assert told in fault(text)


def test_salvage_keeps_the_good_links_and_tells_of_the_rest() -> None:
    links, faults = salvage_links('</1/0>,</2>;ver=,nonsense,</3/0>,</4>;x="')
    assert [link.target for link in links] == ["/1/0", "/3/0"]
    assert len(faults) == 2  # it reads on at the next "<": the nonsense goes with the link before it


def test_first_attribute_of_a_name_counts() -> None:
    (link,) = parse_links("</1>;ct=40;obs;ct=60")
    assert link.get("ct") == "40"
    assert link.get("obs") is None
    assert link.has("obs")
    assert not link.has("rt")


@pytest.mark.parametrize(
    "link",
    [
        Link("/a b"),
        Link("/a>"),
        Link("/a", (("", None),)),
        Link("/a", (("na me", "x"),)),
        Link("/a", (("title", "line\x00"),)),
    ],
)
def test_what_no_link_can_carry_is_refused(link: Link) -> None:
    with pytest.raises(InvalidLink):
        format_links([link])


TARGETS = st.from_regex(r"/[A-Za-z0-9/._~%-]{0,20}", fullmatch=True)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,7}", fullmatch=True)
VALUES = st.none() | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)
LINKS = st.builds(Link, TARGETS, st.lists(st.tuples(NAMES, VALUES), max_size=4).map(tuple))


@given(st.lists(LINKS, max_size=5))
def test_what_is_written_is_read_back(links: list[Link]) -> None:
    assert parse_links(format_links(links)) == links


@given(st.text(alphabet='</>,;="\\ ab1\x00\n', max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        links = parse_links(text)
    except InvalidLink:
        links = None
    salvaged, faults = salvage_links(text)
    assert (links is None) == bool(faults)
    if links is not None:
        assert salvaged == links
