from surefoot.fleet.health_sums import Totals

NAMES = Totals.__struct_fields__


def test_totals_are_added_field_by_field_and_none_is_forgotten() -> None:
    first = Totals(**{name: float(place + 1) for place, name in enumerate(NAMES)})
    second = Totals(**{name: 100.0 * (place + 1) for place, name in enumerate(NAMES)})
    assert first.plus(second) == Totals(**{name: 101.0 * (place + 1) for place, name in enumerate(NAMES)})
    assert first.plus(Totals()) == first
