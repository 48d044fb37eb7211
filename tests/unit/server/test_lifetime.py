from solovirt.server.lifetime import Lifetime


def test_end_closes_what_is_open_now() -> None:
    lifetime, closed = Lifetime(), []
    with lifetime.ending(lambda: closed.append("first")):
        with lifetime.ending(lambda: closed.append("second")):
            pass
        lifetime.end()
    assert closed == ["first"]
    assert lifetime.over


def test_what_begins_after_the_end_is_closed_at_once() -> None:
    lifetime, closed = Lifetime(), []
    lifetime.end()
    with lifetime.ending(lambda: closed.append("late")):
        assert closed == ["late"]
