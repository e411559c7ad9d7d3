"""That the judges can fail: python3 -m unittest tests/interop/test_judge.py"""

import unittest

import judge
import wire


def even(kbps, seconds, since=0.0, size=1200):
    """Packets of one size at an even rate."""
    step = size * 8 / (kbps * 1000)
    return [(since + n * step, size) for n in range(int(seconds / step))]


class Peak(unittest.TestCase):
    estimates = [(n / 10, 2_500_000) for n in range(100)]

    def test_an_even_rate_at_the_estimate_is_no_flood(self):
        ratio, _ = judge.peak(even(2500, 10), self.estimates)
        self.assertTrue(0.9 < ratio <= 1.01, ratio)

    def test_a_burst_between_is_one_and_is_found_where_it_is(self):
        sent = sorted(even(2500, 10) + even(5000, 0.2, since=4.0))
        ratio, at = judge.peak(sent, self.estimates)
        self.assertTrue(2.5 < ratio < 3.1 and 4.0 < at < 4.3, (ratio, at))

    def test_a_rate_that_stays_when_the_estimate_falls_is_one(self):
        estimates = [(n / 10, 2_500_000 if n < 50 else 1_000_000) for n in range(100)]
        self.assertLess(judge.peak(even(2500, 5.2), estimates)[0], 1.1)
        self.assertGreater(judge.peak(even(2500, 10), estimates)[0], 2.0)

    def test_without_an_estimate_nothing_is_held_against_it(self):
        self.assertEqual(judge.peak(even(9000, 3), [])[0], 0)


class Top(unittest.TestCase):
    def samples(self, reached, falls=None):
        rows = []
        for n in range(200):
            at = n / 10
            well = falls is None or not falls <= at < falls + 0.5
            rows.append((at, 2_500_000 if at >= reached else 300_000, well))
        return rows

    def test_is_when_it_is_reached_and_kept(self):
        self.assertAlmostEqual(judge.top(self.samples(7.0), 4.0, 2_500_000), 3.0)

    def test_a_moment_is_not_enough(self):
        self.assertAlmostEqual(judge.top(self.samples(5.0, falls=6.0), 4.0, 2_500_000), 2.5)

    def test_never_is_none(self):
        self.assertIsNone(judge.top(self.samples(99), 4.0, 2_500_000))


class Bars(unittest.TestCase):
    good = {
        "connect": {"seconds": 0.3},
        "hold": {"lost": 0, "gap_s": 0.2, "small_seconds": 0, "missing": 0.01, "sign": "twcc", "filling": True},
        "kill": {"sign": "rtcp", "noticed_s": 2.0, "back_s": 1.0},
        "stop": {"top_s": 4.9},
        "outage": {"top_s": 3.0},
        "narrow": {"sent_ratio": 0.9},
        "calm_narrow": {"top_s": 11},
        "peak": {"ratio": 1.2},
    }

    def missed(self, **changed):
        measured = {phase: {**figures, **changed.get(phase, {})} for phase, figures in self.good.items()}
        return [name for name, (_, _, met) in judge.bars(measured).items() if not met]

    def test_good_figures_meet_all(self):
        self.assertEqual(self.missed(), [])
        self.assertEqual(len(judge.bars(self.good)), 12)

    def test_each_figure_alone_can_miss_its_bar(self):
        for phase, figures in self.good.items():
            for key in figures:
                if key not in ("sign", "filling"):
                    self.assertEqual(len(self.missed(**{phase: {key: 99}})), 1, (phase, key))
                    self.assertEqual(len(self.missed(**{phase: {key: None}})), 1, (phase, key))

    def test_the_bar_for_a_death_goes_by_the_best_sign(self):
        self.assertEqual(self.missed(kill={"sign": "consent", "noticed_s": 9.0}), [])
        self.assertEqual(self.missed(kill={"sign": "twcc", "noticed_s": 2.0}), ["death noticed"])

    def test_an_engine_that_ends_by_itself_is_a_failure(self):
        self.assertEqual(len([1 for _, _, met in judge.bars({"ended": "code 3"}).values() if not met]), 1)


class Signs(unittest.TestCase):
    def test_the_best_is_taken(self):
        self.assertEqual(judge.sign(10, {"twcc": 95, "rr": 10}), "twcc")
        self.assertEqual(judge.sign(10, {"rr": 3}), "rtcp")
        self.assertEqual(judge.sign(10, {"stun-response": 3}), "consent")

    def test_a_packet_is_known_by_its_head(self):
        for head, kind in [
            (b"\x00\x01", "stun-request"), (b"\x01\x01", "stun-response"), (b"\x16\xfe", "dtls"),
            (b"\x90\x60", "rtp"), (b"\x90\xe0", "rtp"), (b"\x81\xc9", "rr"), (b"\x8f\xcd", "twcc"),
            (b"\x81\xcd", "nack"), (b"\x8f\xce", "remb"), (b"\x81\xce", "pli"),
        ]:
            self.assertEqual(wire.kind_of(head), kind, head)


if __name__ == "__main__":
    unittest.main()
