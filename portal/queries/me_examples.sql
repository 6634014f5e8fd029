-- The latest call of an agent in which a rule failed, and the latest in which it passed.
SELECT i.rule, i.status, arg_max(c.call_id, c.invited_at) AS call_id, max(c.invited_at) AS invited_at
FROM v_items i JOIN v_calls c USING (call_id)
WHERE c.agent = $agent AND c.invited_at >= $since::TIMESTAMP AND i.status IN ('pass', 'fail')
GROUP BY i.rule, i.status
