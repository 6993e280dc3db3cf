"""Arguments of an Execute. LwM2M Core 1.1.1, 6.3.5."""

from __future__ import annotations

import pytest

from flownexus_schemas.lwm2m.errors import InvalidArguments
from flownexus_schemas.lwm2m.execute_arguments import check_arguments


@pytest.mark.parametrize("text", ["5", "0,1", "2='10.3'", "7,0='https://www.example.org/a?b=c'", "1='',9='!#&([]~'"])
def test_those_of_the_specification_are_good(text: str) -> None:
    check_arguments(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [("", 1), ("a", 1), ("10", 1), ("0,", 3), (",0", 1), ("0=1", 1), ("0='a", 1), ("9,0='a'b", 3), ("0 ,1", 1)],
)
def test_others_are_refused_with_the_place(text: str, place: int) -> None:
    with pytest.raises(InvalidArguments, match=f"at character {place}: arguments are digits"):
        check_arguments(text)


@pytest.mark.parametrize("character", [" ", '"', "'", "\\", "\u00e9", "\n", "\x7f"])
def test_a_character_that_no_value_has_is_refused(character: str) -> None:
    with pytest.raises(InvalidArguments):
        check_arguments(f"0='{character}'")


def test_an_argument_that_is_given_twice_is_refused() -> None:
    with pytest.raises(InvalidArguments, match="3 is given twice"):
        check_arguments("3='a',3")
