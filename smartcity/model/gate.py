"""The promotion gate: a pure function of measured figures."""

from dataclasses import dataclass

#: A candidate may be worse calibrated than the champion by this much before it counts.
CALIBRATION_TOLERANCE = 0.005


@dataclass(frozen=True)
class Evaluation:
    """What the gate needs to know of one model, all on the same rows."""

    macro_f1: float
    ece: float
    margin_over_persistence_low: float


@dataclass(frozen=True)
class Decision:
    """Whether the alias moves, and why, in words for the registry."""

    promote: bool
    reason: str


def decide(candidate: Evaluation, champion: Evaluation | None, margin_over_champion_low: float | None) -> Decision:
    """Promote only what beats persistence, and the champion beyond noise, and is no worse calibrated.

    Args: margin_over_champion_low: lower end of the 95 % interval of the candidate's macro-F1 above the champion's.
    """
    if candidate.margin_over_persistence_low <= 0:
        return Decision(
            False,
            f"does not beat persistence: macro-F1 margin may be as low as {candidate.margin_over_persistence_low:+.4f}",
        )
    if champion is None:
        return Decision(
            True, f"first model; beats persistence by at least {candidate.margin_over_persistence_low:+.4f} macro-F1"
        )
    if margin_over_champion_low is None or margin_over_champion_low <= 0:
        return Decision(
            False,
            f"does not beat the champion beyond noise: "
            f"macro-F1 {candidate.macro_f1:.4f} against {champion.macro_f1:.4f}",
        )
    if candidate.ece > champion.ece + CALIBRATION_TOLERANCE:
        return Decision(False, f"worse calibrated: ECE {candidate.ece:.4f} against {champion.ece:.4f}")
    return Decision(True, f"macro-F1 {candidate.macro_f1:.4f} against the champion's {champion.macro_f1:.4f}")
