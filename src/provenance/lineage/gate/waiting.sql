-- The members that cost something, in the order in which they are let in: last come texts of relatives, before them what its
-- rights or depth forbid, before them the most synthetic, before them what is least surely human.
select (row_number() over (order by own_share, flagged, synthetic_share,
        list_position(['human', 'unknown', 'synthetic'], tag), score, record_id) - 1)::bigint as place,
    record_id, own, synthetic, unknown, human, unverified, self_graded, deep, reserved, forbidden
from costs where not free
