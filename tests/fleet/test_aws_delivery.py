import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.fleet.aws_delivery import BOTH, parse_delivery, protocols_for


def test_each_sku_has_its_protocols_and_a_star_stands_for_all_others() -> None:
    delivery = parse_delivery(" arm=HTTP, camera = HTTP+MQTT ,*=MQTT")
    assert protocols_for(delivery, "arm") == ("HTTP",)
    assert protocols_for(delivery, "camera") == ("MQTT", "HTTP"), "in the order in which AWS writes them"
    assert protocols_for(delivery, "other") == ("MQTT",)
    assert protocols_for(parse_delivery("*=HTTP"), "other") == ("HTTP",)


def test_by_default_all_get_theirs_by_mqtt() -> None:
    assert parse_delivery("") == parse_delivery("  ") == {}
    assert protocols_for({}, "arm") == ("MQTT",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("arm", "part 1 must end"),
        ("arm=", "part 1 must end"),
        ("arm=HTTP,,camera=MQTT", "part 2 names no sku"),
        ("=HTTP", "part 1 names no sku"),
        ("the arm=HTTP", "part 1 names no sku"),
        ("a" * 300 + "=HTTP", "part 1 names no sku"),
        ("arm=http", "part 1 must end"),
        ("arm=HTTP+HTTP", "part 1 must end"),
        ("arm=HTTP=MQTT", "part 1 must end"),
        ("*=MQTT,arm=HTTP,arm=MQTT", "part 3 names a sku for the second time"),
    ],
)
def test_a_mistake_is_told_with_the_number_of_its_part_and_without_what_it_says(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_delivery(text)
    assert "the arm" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_delivery(text)
    except ValueError:
        return
    assert all(set(protocols) <= set(BOTH) and protocols for protocols in found.values())
