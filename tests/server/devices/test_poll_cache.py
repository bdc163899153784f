from surefoot.server.devices.poll_cache import PollCache

ME, OTHER, QUESTION = b"me", b"other", b"sku=standard&version=0.2.0"
FOREVER = float("inf")


def cache(generation: int = 1, robots_max: int = 10) -> PollCache:
    made = PollCache(robots_max)
    made.observe(generation)
    return made


def keep(polls: PollCache, who: bytes = ME, generation: int = 1, until_s: float = FOREVER) -> None:
    polls.keep(who, QUESTION, who.decode(), 3600, generation, until_s)


def test_what_was_nothing_is_nothing_again_and_is_heard() -> None:
    polls = cache()
    keep(polls)
    assert polls.look(ME, QUESTION, 5.0) == 3600
    assert polls.take_heard() == {"me": 5.0}
    assert polls.take_heard() == {}


def test_who_did_not_ask_before_or_asks_something_else_must_ask_the_rows() -> None:
    polls = cache()
    keep(polls)
    assert polls.look(OTHER, QUESTION, 5.0) is None
    assert polls.look(ME, b"sku=standard&version=0.2.1", 5.0) is None
    assert polls.take_heard() == {}


def test_a_new_generation_ends_what_was_remembered() -> None:
    polls = cache()
    keep(polls)
    polls.observe(2)
    assert polls.look(ME, QUESTION, 5.0) is None


def test_an_answer_found_before_the_newest_write_is_not_kept() -> None:
    polls = cache(generation=2)
    keep(polls, generation=1)
    assert polls.look(ME, QUESTION, 5.0) is None


def test_nothing_is_answered_before_the_first_look_or_while_a_write_is_committed() -> None:
    polls = PollCache()
    keep(polls)
    assert polls.look(ME, QUESTION, 5.0) is None
    polls.observe(1)
    polls.suspend()
    assert polls.look(ME, QUESTION, 5.0) is None
    polls.observe(1)
    assert polls.look(ME, QUESTION, 5.0) == 3600


def test_late_news_of_an_older_generation_changes_nothing() -> None:
    polls = cache()
    keep(polls)
    polls.observe(2)
    polls.observe(1)
    assert polls.look(ME, QUESTION, 5.0) is None


def test_a_certificate_s_end_ends_what_was_remembered_of_it() -> None:
    polls = cache()
    keep(polls, until_s=10.0)
    assert polls.look(ME, QUESTION, 9.0) == 3600
    assert polls.look(ME, QUESTION, 10.0) is None


def test_only_so_many_robots_are_remembered() -> None:
    polls = cache(robots_max=2)
    for who in (ME, OTHER, b"third"):
        keep(polls, who)
    assert polls.look(ME, QUESTION, 5.0) is None
    assert polls.look(OTHER, QUESTION, 5.0) == polls.look(b"third", QUESTION, 5.0) == 3600


def test_who_could_not_be_stored_is_stored_later_unless_heard_again_since() -> None:
    polls = cache()
    keep(polls)
    keep(polls, OTHER)
    polls.look(ME, QUESTION, 5.0)
    polls.look(OTHER, QUESTION, 5.0)
    taken = polls.take_heard()
    polls.look(ME, QUESTION, 6.0)
    polls.put_back_heard(taken)
    assert polls.take_heard() == {"me": 6.0, "other": 5.0}
