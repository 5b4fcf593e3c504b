"""What the address of an overlay may ask for."""

import pytest

from sothebais import ids
from sothebais.errors import InvalidInput
from sothebais.web.overlays import options
from sothebais.web.overlays.options import Options


def test_an_address_without_parameters_follows_the_lot_on_the_block() -> None:
    assert options.parse({}) == options.parse({"auction": "current"}) == Options()


def test_everything_that_may_be_asked_for_is_taken() -> None:
    lot = ids.new_id()
    asked = {"auction": str(lot), "theme": "light", "scale": "1.5", "align": "bottom-right", "hold": "0"}
    assert options.parse(asked) == Options(auction=lot, theme="light", scale=1.5, align="bottom-right", hold_s=0)
    for align in options.ALIGNS:
        assert options.parse({"align": align}).align == align


@pytest.mark.parametrize("scale", [options.SCALE_MIN, options.SCALE_MAX])
def test_a_size_at_the_bound_is_taken(scale: float) -> None:
    assert options.parse({"scale": str(scale)}).scale == scale
    assert options.parse({"hold": str(options.HOLD_S_MAX)}).hold_s == options.HOLD_S_MAX


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auction", "next"),
        ("auction", ""),
        ("theme", "blue"),
        ("scale", "0.24"),
        ("scale", "4.01"),
        ("scale", "nan"),
        ("scale", "1.00000"),
        ("scale", "big"),
        ("align", "middle"),
        ("hold", "61"),
        ("hold", "-1"),
        ("colour", "red"),
    ],
)
def test_what_may_not_be_asked_for_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=name) as refused:
        options.parse({name: value})
    assert refused.value.fields["field"] == name
