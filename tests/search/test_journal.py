from hypothesis import given
from hypothesis import strategies as st

from hwkeras.search.journal import Journal


def test_events_are_read_in_order_and_by_name(tmp_path):
    journal = Journal(tmp_path / "run" / "journal.jsonl")
    assert journal.read() == []
    journal.write("rejected", size=1)
    journal.write("candidates", trial="0")
    assert [event["event"] for event in journal.read()] == ["rejected", "candidates"]
    assert journal.read("candidates") == [{"event": "candidates", "trial": "0"}]


@given(cut=st.integers(1, 40))
def test_a_line_cut_by_a_kill_costs_that_line_only(tmp_path_factory, cut):
    journal = Journal(tmp_path_factory.mktemp("journal") / "journal.jsonl")
    for number in range(3):
        journal.write("candidates", trial=number)
    whole = journal.path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    journal.path.write_bytes(whole[: -min(cut, len(last))])
    journal.write("candidates", trial="after")
    trials = [event["trial"] for event in journal.read("candidates")]
    # Losing only the line break loses nothing.
    assert trials == ([0, 1, 2, "after"] if cut == 1 else [0, 1, "after"])
