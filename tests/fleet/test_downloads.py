import pytest

from fleet.fleet_case import FleetCase
from surefoot.fleet.downloads import (
    DAY_S,
    REDIRECT_S,
    DownloadsOfDay,
    OverLimit,
    give_back,
    reserve,
    reserve_redirect,
)

FILE, OTHER = "aa" * 32, "bb" * 32
SIZE = 1000


def take(fleet: FleetCase, length_bytes: int = SIZE, *, file: str = FILE, limit: int = 100) -> int:
    return fleet.run(lambda rows: reserve(rows, "robot-1", file, SIZE, length_bytes, limit, fleet.now_s))


def count(fleet: FleetCase) -> int:
    known = fleet.run(lambda rows: rows.get(DownloadsOfDay, "robot-1"))
    return 0 if known is None else known.downloads


@pytest.fixture(autouse=True)
def robot(fleet: FleetCase) -> None:
    fleet.enrol("robot-1")


def test_the_hundredth_download_is_served_and_the_next_is_not(fleet: FleetCase) -> None:
    for _ in range(100):
        take(fleet)
    with pytest.raises(OverLimit) as refused:
        take(fleet, 1)
    assert refused.value.code == "refused-download-limit"
    assert count(fleet) == 100


def test_who_is_over_the_limit_is_told_when_the_day_ends_and_served_then(fleet: FleetCase) -> None:
    take(fleet, limit=1)
    with pytest.raises(OverLimit) as refused:
        take(fleet, limit=1)
    assert 0 < refused.value.retry_after_s <= DAY_S
    fleet.now_s += refused.value.retry_after_s - 2
    with pytest.raises(OverLimit):
        take(fleet, limit=1)
    fleet.now_s += 2
    take(fleet, limit=1)


def test_ranges_of_one_file_are_one_download(fleet: FleetCase) -> None:
    for _ in range(10):
        take(fleet, SIZE // 10, limit=1)
    assert count(fleet) == 1


def test_what_did_not_leave_is_given_back_so_a_resumed_download_is_one(fleet: FleetCase) -> None:
    day = take(fleet, SIZE, limit=1)
    fleet.run(lambda rows: give_back(rows, "robot-1", FILE, 600, day))
    take(fleet, 600, limit=1)
    assert count(fleet) == 1


def test_all_but_the_first_byte_again_and_again_is_counted(fleet: FleetCase) -> None:
    for _ in range(100):
        take(fleet, SIZE - 1)
    with pytest.raises(OverLimit):
        take(fleet, SIZE - 1)


def test_another_file_is_another_download(fleet: FleetCase) -> None:
    take(fleet, 1)
    take(fleet, 1, file=OTHER)
    assert count(fleet) == 2


def test_what_is_given_back_after_midnight_is_not_taken_from_the_next_day(fleet: FleetCase) -> None:
    day = take(fleet)
    fleet.now_s += DAY_S
    take(fleet)
    fleet.run(lambda rows: give_back(rows, "robot-1", FILE, SIZE, day))
    assert count(fleet) == 1


def test_a_clock_set_back_gives_no_second_day(fleet: FleetCase) -> None:
    take(fleet, limit=1)
    fleet.now_s -= DAY_S
    with pytest.raises(OverLimit):
        take(fleet, limit=1)


def redirect(fleet: FleetCase, limit: int = 100) -> int:
    return fleet.run(lambda rows: reserve_redirect(rows, "robot-1", FILE, SIZE, limit, fleet.now_s))


def test_an_address_elsewhere_is_one_download_however_often_it_is_asked_for_while_it_is_good(fleet: FleetCase) -> None:
    assert redirect(fleet, limit=1) == REDIRECT_S
    fleet.now_s += 1000
    assert redirect(fleet, limit=1) == REDIRECT_S - 1000
    fleet.now_s += REDIRECT_S - 1001
    with pytest.raises(OverLimit):
        redirect(fleet, limit=1)
