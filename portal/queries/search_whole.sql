-- Whether calls that began at $at or later all lie from row $first of the utterances on.
SELECT count(*) = 0 AS whole
FROM calls
WHERE invited_at >= $at::TIMESTAMP AND ingested_at <= (
    SELECT ingested_at FROM calls WHERE call_id = (
        SELECT call_id FROM utterances WHERE rowid >= $first ORDER BY rowid LIMIT 1
    )
)
