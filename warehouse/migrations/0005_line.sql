-- A call's line beside its score: the worse side's mean opinion score (ITU-T G.107).
ALTER TABLE calls ADD COLUMN mos DOUBLE;
UPDATE calls SET mos = line.mos
FROM (SELECT call_id, min(mos) AS mos FROM v_quality GROUP BY call_id) line
WHERE calls.call_id = line.call_id AND line.mos IS NOT NULL;

CREATE OR REPLACE VIEW v_calls AS
SELECT c.call_id, c.mode, c.agent, a.name AS agent_name, a.team, c.caller, c.called, c.invited_at,
       c.invited_at + INTERVAL 8 HOUR AS local_at, c.ringing_at, c.answered_at, c.ended_at,
       c.ended_by, c.end_reason, c.ring_ms, c.rings, c.duration_ms, c.score,
       CASE WHEN s.call_id IS NULL THEN c.score ELSE s.score END AS final_score,
       coalesce(s.fails, c.fails) AS fails, coalesce(s.reviews, c.reviews) AS reviews,
       coalesce(s.veto, c.veto) AS veto, c.mos
FROM calls c
LEFT JOIN agents a USING (agent)
LEFT JOIN (
    SELECT call_id, arg_max(score, made_at) AS score, arg_max(fails, made_at) AS fails,
           arg_max(reviews, made_at) AS reviews, arg_max(veto, made_at) AS veto
    FROM states GROUP BY call_id
) s USING (call_id);
