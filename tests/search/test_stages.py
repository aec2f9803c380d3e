import itertools

from hwkeras.search.stages import StageClock


def test_a_stage_inside_another_is_counted_once():
    ticks = itertools.count()
    clock = StageClock(clock=lambda: float(next(ticks)))
    with clock.stage("propose"):  # 0 .. 5
        with clock.stage("build"):  # 1 .. 2
            pass
        with clock.stage("convert"):  # 3 .. 4
            pass
    assert clock.seconds["build"] == 1
    assert clock.seconds["convert"] == 1
    assert clock.seconds["propose"] == 3
    assert sum(clock.seconds.values()) == 5
