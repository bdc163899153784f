from hypothesis import given
from hypothesis import strategies as st

from surefoot.rollout.membership import belongs, position
from surefoot.rollout.plan import Phase

SALTS = st.binary(max_size=32)
ROBOT_IDS = st.text(min_size=1, max_size=128)
PERCENTS = st.floats(0, 100)


@given(salt=SALTS, robot_id=ROBOT_IDS)
def test_a_place_is_a_number_from_zero_to_below_one(salt: bytes, robot_id: str) -> None:
    assert 0 <= position(salt, robot_id) < 1
    assert position(salt, robot_id) * 100 < 100


@given(salt=SALTS, robot_id=ROBOT_IDS, percents=st.tuples(PERCENTS, PERCENTS))
def test_who_belongs_to_a_percentage_belongs_to_every_larger_one(
    salt: bytes, robot_id: str, percents: tuple[float, float]
) -> None:
    smaller, larger = (Phase(name="some", percent=percent, soak_s=0) for percent in sorted(percents))
    assert belongs(larger, salt, robot_id) or not belongs(smaller, salt, robot_id)
