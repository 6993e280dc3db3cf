"""What a device has, by the lists that real clients send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.link_format import parse_links
from flownexus_schemas.lwm2m.object_links import ObjectLinks, object_links
from flownexus_schemas.lwm2m.path import Path


def read(text: str) -> ObjectLinks:
    return object_links(parse_links(text))


def listed(links: ObjectLinks) -> list[str]:
    return [str(path) for path in links.instances]


def test_zephyr_1_0_lists_objects_alone() -> None:
    links = read("</1/0>,</2>,</3/0>,</5/0>,</3303/0>,</3340/0>")
    assert listed(links) == ["1/0", "2", "3/0", "5/0", "3303/0", "3340/0"]
    assert (links.root, links.content_formats, dict(links.versions)) == ("/", (), {})


def test_zephyr_1_1_has_a_root_link_without_a_type() -> None:
    links = read("</>;ct=112,</1>;ver=1.1,</1/0>,</3>;ver=1.0,</3/0>,</3303>;ver=1.1,</3303/0>")
    assert links.content_formats == (112,)
    assert links.versions == {1: "1.1", 3: "1.0", 3303: "1.1"}
    assert listed(links) == ["1/0", "3/0", "3303/0"]


def test_anjay_1_0_quotes_its_versions() -> None:
    links = read('</1/1>,</2>,</3/0>,</4/0>,</5/0>,</6>,</7/0>,</10>;ver="1.1",</3303>;ver="1.1",</3303/0>')
    assert links.versions == {10: "1.1", 3303: "1.1"}
    assert links.instances_of(1) == (1,)
    assert links.instances_of(10) == ()
    assert links.has_object(10)


def test_anjay_1_1_leaves_versions_bare() -> None:
    assert read("</1/1>,</2>,</3/0>,</10>;ver=1.1").versions == {10: "1.1"}


def test_wakaama_has_a_typed_root_with_its_content_format() -> None:
    links = read('</>;rt="oma.lwm2m";ct=110,</1>;ver=1.1,</1/0>,</2/0>,</3/0>,</4/0>,</5/0>,</31024/10>,</31024/11>')
    assert (links.root, links.content_formats) == ("/", (110,))
    assert links.instances_of(31024) == (10, 11)
    assert links.objects == (1, 2, 3, 4, 5, 31024)


def test_leshan_lists_several_content_formats() -> None:
    links = read('</>;rt="oma.lwm2m";ct="60 110 112 11542 11543",</1>;ver=1.1,</1/0>,</3>;ver=1.2,</3/0>,</6/0>')
    assert links.content_formats == (60, 110, 112, 11542, 11543)


def test_alternate_root_of_the_specification() -> None:
    """LwM2M Core 1.1.1, 6.2.1: objects below /lwm2m; other links are the device's own."""
    links = read('</lwm2m>;rt="oma.lwm2m";ct=110,</lwm2m/1/0>,</lwm2m/3/0>,</3/0/1>,</sensors/temp>,</7/0>')
    assert links.root == "/lwm2m"
    assert listed(links) == ["1/0", "3/0"]


@pytest.mark.parametrize("root", ["</lwm2m/>", "</lwm2m>"])
def test_alternate_root_may_end_with_a_slash(root: str) -> None:
    links = read(f'{root};rt="oma.lwm2m",</lwm2m/3/0>')
    assert (links.root, listed(links)) == ("/lwm2m", ["3/0"])


def test_type_may_be_one_of_several() -> None:
    assert read('</l>;rt="core.rd oma.lwm2m",</l/3/0>').root == "/l"


def test_object_is_listed_beside_its_instances_once() -> None:
    links = read("</3303>,</3303/1>,</3303/0>,</3303/0>")
    assert listed(links) == ["3303/0", "3303/1"]


def test_version_on_an_instance_counts_where_the_object_has_none() -> None:
    assert read("</3303/0>;ver=1.1").versions == {3303: "1.1"}
    assert read("</3303/0>;ver=1.0,</3303>;ver=1.1").versions == {3303: "1.1"}
    assert read("</3303>;ver=1.1,</3303/0>;ver=1.0").versions == {3303: "1.1"}


@pytest.mark.parametrize(
    "text",
    [
        "</3>;ver=one,</3/0>",
        "</3>;ver=1,</3/0>",
        '</3>;ver="",</3/0>',
        "</3>;ver,</3/0>",
    ],
)
def test_version_that_is_none_counts_as_not_stated(text: str) -> None:
    links = read(text)
    assert (dict(links.versions), listed(links)) == ({}, ["3/0"])


@pytest.mark.parametrize("stated", ["x", "-1", "65536", "99999999", "1.5"])
def test_content_format_that_is_none_counts_as_not_stated(stated: str) -> None:
    assert read(f'</>;ct="{stated} 112",</3/0>').content_formats == (112,)


@pytest.mark.parametrize(
    "target", ["/3/0/0", "/3/0/0/1", "/65536", "/3/99999", "/03", "/x", "", "/", "coap://host/3/0", "//3/0", "/3/"]
)
def test_link_to_anything_but_an_object_or_instance_is_left_out(target: str) -> None:
    assert listed(read(f"</1/0>,<{target}>")) == ["1/0"]


def test_versions_are_read_only() -> None:
    links = read("</3>;ver=1.0")
    with pytest.raises(TypeError):
        links.versions[3] = "1.1"  # type: ignore[index]


@given(st.lists(st.tuples(st.integers(0, 65535), st.none() | st.integers(0, 65535)), max_size=20))
def test_every_instance_that_is_listed_is_found(pairs: list[tuple[int, int | None]]) -> None:
    text = ",".join(
        f"</{object_id}>" if instance is None else f"</{object_id}/{instance}>" for object_id, instance in pairs
    )
    links = read(text)
    assert set(links.objects) == {object_id for object_id, _ in pairs}
    assert list(links.objects) == sorted(links.objects)
    for object_id, instance in pairs:
        assert links.has_object(object_id)
        if instance is not None:
            assert instance in links.instances_of(object_id)
            assert Path(object_id) not in links.instances
