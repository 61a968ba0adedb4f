"""Replay windows against a naive model that remembers everything."""

from hypothesis import given
from hypothesis import strategies as st

from seawall.ingest.progress import Progress
from seawall.ingest.replay import KEPT_BOOTS, MASK, WIDTH, History, histories
from seawall.model.reading import ReplayWindow


class NaiveHistory:
    """Remembers every number; the rule in its plainest words."""

    def __init__(self):
        self.boots = {}

    def admit(self, boot, seq):
        if boot not in self.boots and len(self.boots) == 4:
            if boot < min(self.boots):
                return False
            del self.boots[min(self.boots)]
        seen = self.boots.setdefault(boot, set())
        if seq in seen or (seen and seq <= max(seen) - 256):
            return False
        seen.add(seq)
        return True


boots = st.integers(0, 7)
seqs = st.integers(0, 12) | st.integers(240, 270) | st.integers(500, 530) | st.just(2**53 - 1)


@given(st.lists(st.tuples(boots, seqs), max_size=60), st.integers(0, 60))
def test_admits_what_a_naive_model_admits_and_survives_restarts(messages, restart_at):
    history, naive = History("d"), NaiveHistory()
    kept = {}
    for number, (boot, seq) in enumerate(messages):
        if number == restart_at:
            newest = sorted(kept)[-KEPT_BOOTS:]
            history = histories(kept[boot] for boot in newest).get("d", History("d"))
        window = history.admit(boot, seq)
        assert (window is not None) == naive.admit(boot, seq), (boot, seq)
        if window is not None:
            kept[boot] = window.kept()
            assert window.kept().seen <= MASK
            assert window.kept().seen & 1


@given(st.permutations(range(40)))
def test_any_order_is_taken_once_within_the_window(order):
    history = History("d")
    assert all(history.admit(1, seq) for seq in order)
    assert not any(history.admit(1, seq) for seq in order)


def test_edges_of_the_window():
    history = History("d")
    assert history.admit(1, 1000)
    assert history.admit(1, 1000 - WIDTH + 1)
    assert not history.admit(1, 1000 - WIDTH)
    assert history.admit(1, 2**53 - 1)
    assert not history.admit(1, 1001)


def test_a_window_from_a_damaged_store_is_cut_to_its_width():
    history = histories([ReplayWindow("d", 1, 5, 1 << 5000 | 1)])["d"]
    window = history.admit(1, 6)
    assert window is not None
    assert window.kept() == ReplayWindow("d", 1, 6, 3)


def test_newest_boot():
    history = histories([ReplayWindow("d", 1, 500, 1), ReplayWindow("d", 2, 3, 1)])["d"]
    assert history.newest() == (2, 3)


@given(st.lists(st.integers(0, 300), min_size=1, unique=True))
def test_gapless_means_that_nothing_is_missing(seqs):
    history = History("d")
    admitted = {seq for seq in seqs if history.admit(1, seq)}
    top = max(admitted)
    begins = set(range(1, top + 1)) <= admitted
    newest = set(range(max(0, top - 63), top + 1)) <= admitted and top >= 63
    assert history.is_gapless(64) == ((begins and top < WIDTH) or newest)


def test_a_young_boot_may_hide_the_lost_end_of_the_one_before():
    history = histories([ReplayWindow("d", 1, 9, 1), ReplayWindow("d", 2, 3, 0b1111)])["d"]
    assert not history.is_gapless(64)
    assert histories([ReplayWindow("d", 2, 3, 0b1111)])["d"].is_gapless(64)


# Up to where `stored` may be said


def line(*steps):
    progress = Progress()
    told = []
    for step in steps:
        if step == "online":
            progress.connected("d")
        elif step == "was-online":
            progress.was_connected("d")
        elif step[0] == "resume":
            progress.resume("d", *step[1:])
        else:
            progress.settled("d", *step)
        told.append(progress.take().get("d"))
    return told


def test_the_line_follows_consecutive_numbers():
    assert line("online", (1, 7), (1, 8), (1, 9)) == [None, (1, 7), (1, 8), (1, 9)]


def test_a_gap_holds_the_line_until_the_device_connects_again():
    assert line("online", (1, 7), (1, 9), (1, 10)) == [None, (1, 7), None, None]
    assert line("online", (1, 7), (1, 9), "online", (1, 8), (1, 9))[-2:] == [(1, 8), (1, 9)]


def test_nothing_is_said_of_a_device_whose_connection_was_not_seen():
    assert line((1, 7), (1, 8)) == [None, None]
    assert line("was-online", (1, 7)) == [None, None]


def test_after_a_restart_the_line_goes_on_where_it_was():
    assert line(("resume", 1, 7), (1, 8)) == [None, (1, 8)]
    assert line(("resume", 1, 7), (1, 9)) == [None, None]


def test_what_is_sent_again_is_told_again():
    assert line("online", (1, 7), (1, 8), (1, 7))[-1] == (1, 8)


def test_an_outbox_over_several_boots_empties_in_one_connection():
    assert line("online", (3, 41), (4, 0), (6, 1), (6, 2))[1:] == [(3, 41), (4, 0), (6, 1), (6, 2)]
    assert line("online", (3, 41), (4, 2))[-1] is None


def test_a_new_boot_is_not_trusted_if_its_connection_was_not_seen():
    assert line("online", (3, 41), "was-online", (4, 0))[-1] is None
    assert line(("resume", 3, 41), (4, 0))[-1] is None
