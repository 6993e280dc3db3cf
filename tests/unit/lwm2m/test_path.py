"""Paths as text, in order, one below another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.errors import InvalidPath
from flownexus_schemas.lwm2m.path import MAX_ID, Path

paths = st.lists(st.integers(0, MAX_ID), max_size=4).map(lambda ids: Path(*ids))


@given(paths)
def test_text_is_read_back(path: Path) -> None:
    assert Path.parse(str(path)) == path
    assert Path.parse(f"/{path}") == path


@given(paths, paths)
def test_a_path_contains_those_that_begin_with_it(path: Path, other: Path) -> None:
    assert path.contains(other) == f"{other}/".startswith(f"{path}/" if path.ids else "")
    assert path.contains(path)
    assert Path().contains(path)


@given(st.lists(paths))
def test_paths_sort_by_ids(unsorted: list[Path]) -> None:
    of_one_depth = [path for path in unsorted if path.depth == 3]
    assert [path.ids for path in sorted(of_one_depth)] == sorted(path.ids for path in of_one_depth)


@pytest.mark.parametrize(("text", "depth"), [("", 0), ("/", 0), ("3", 1), ("/3/0", 2), ("3/0/9", 3), ("/3/0/7/1", 4)])
def test_depth_is_the_number_of_ids(text: str, depth: int) -> None:
    path = Path.parse(text)
    assert path.depth == depth
    assert path.resource.depth == min(depth, 3)


@pytest.mark.parametrize(
    "text",
    [
        "3/",
        "//3",
        "3//0",
        "/3/0/7/1/0",
        "-1",
        "+3",
        "65536",
        "100000",
        "03",
        "3/00",
        "3.0",
        "3/x",
        " 3",
        "3 ",
        "٣",
        "²",
    ],
)
def test_anything_else_is_no_path(text: str) -> None:
    with pytest.raises(InvalidPath):
        Path.parse(text)


@pytest.mark.parametrize("ids", [(-1,), (65536,), (3, 0, 65536), (1, 2, 3, 4, 5)])
def test_ids_out_of_range_are_no_path(ids: tuple[int, ...]) -> None:
    with pytest.raises(InvalidPath):
        Path.of(*ids)


def test_a_child_is_one_level_deeper() -> None:
    assert Path().child(3).child(0).child(7).child(1) == Path(3, 0, 7, 1)
    with pytest.raises(InvalidPath):
        Path(3, 0, 7, 1).child(0)
    with pytest.raises(InvalidPath):
        Path(3).child(65536)


def test_an_error_shows_no_more_than_the_start_of_what_was_sent() -> None:
    with pytest.raises(InvalidPath) as caught:
        Path.parse("9" * 10_000)
    assert len(str(caught.value)) < 200
