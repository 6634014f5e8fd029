"""三声: the rings before the answer.

China's ringing cadence is 1 s on, 4 s off, so ring n starts at 5·(n−1) s and a phone that is
answered before 15 s has rung at most three times; GB/T 33358-2016 asks for the same 15 s.
"""

from calls.hit import Status
from scoring.facts import Facts
from scoring.sections import ThreeRings
from scoring.verdict import Verdict, numeral, seconds, verdict


def count_rings(ring_ms: int | None, rule: ThreeRings) -> int | None:
    """How many rings had begun after so many milliseconds; None without signalling."""
    return None if ring_ms is None else ring_ms // rule.cadence_ms + 1


def three_rings(facts: Facts) -> Verdict:
    """守则 12: the agent answers within three rings; an unanswered call that rang longer fails."""
    rule = facts.rules.three_rings
    ring_ms = facts.call.ring_ms
    rings = count_rings(ring_ms, rule)
    if ring_ms is None or rings is None:
        return verdict(rule, Status.NA, "unknown")
    limit = numeral(rule.rings)
    said = seconds(ring_ms)
    if facts.call.answered_at is None and not facts.recorded:
        if rings > rule.rings:
            return verdict(rule, Status.FAIL, "unanswered", rings=rings, seconds=said, limit=limit)
        return verdict(rule, Status.NA, "given_up", seconds=said, limit=limit)
    if rings > rule.rings:
        return verdict(rule, Status.FAIL, "failed", rings=rings, seconds=said, limit=limit)
    strict_ms = (rule.rings - 1) * rule.cadence_ms + rule.ring_on_ms
    if rule.strict and ring_ms > strict_ms:
        return verdict(rule, Status.FAIL, "strict", seconds=said, limit=seconds(strict_ms))
    return verdict(rule, Status.PASS, "passed", rings=rings, seconds=said, limit=limit)
