import pytest

from smartcity.model.gate import Evaluation, decide

CHAMPION = Evaluation(macro_f1=0.70, ece=0.010, margin_over_persistence_low=0.02)


@pytest.mark.parametrize(
    ("candidate", "champion", "over_champion", "promoted", "why"),
    [
        (Evaluation(0.72, 0.01, 0.03), None, None, True, "first model"),
        (Evaluation(0.72, 0.01, -0.01), None, None, False, "does not beat persistence"),
        (Evaluation(0.72, 0.01, 0.03), CHAMPION, 0.01, True, "0.7200 against"),
        (Evaluation(0.72, 0.01, 0.03), CHAMPION, -0.01, False, "beyond noise"),
        (Evaluation(0.72, 0.05, 0.03), CHAMPION, 0.01, False, "worse calibrated"),
        (Evaluation(0.72, 0.01, 0.0), CHAMPION, 0.01, False, "does not beat persistence"),
    ],
)
def test_a_candidate_is_promoted_only_for_what_it_measured(candidate, champion, over_champion, promoted, why):
    decision = decide(candidate, champion, over_champion)
    assert decision.promote is promoted
    assert why in decision.reason
