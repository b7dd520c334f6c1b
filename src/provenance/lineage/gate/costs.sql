-- What each member costs or gives for each limit: a set of members keeps a limit if its costs sum to at most 0. A limit that does not
-- apply has the bound null. `free`: costs nothing, so it never stands in the way.
select *, greatest(own, synthetic, unknown, human, unverified, self_graded, deep, reserved, forbidden) <= 0 as free,
    (own > 0)::integer + 2 * (synthetic > 0)::integer + 4 * (unknown > 0)::integer + 8 * (human > 0)::integer
    + 16 * (unverified > 0)::integer + 32 * (self_graded > 0)::integer + 64 * (deep > 0)::integer
    + 128 * (reserved > 0)::integer + 256 * (forbidden > 0)::integer as pattern
from (
    select record_id, score, tag, own_words / greatest(words, 1) as own_share, synthetic / greatest(words, 1) as synthetic_share,
        forbidden or deep or reserved as flagged,
        coalesce(own_words - $own * words, 0) as own,
        synthetic - $synthetic * words as synthetic,
        unknown - $unknown * words as unknown,
        $human * words - human as human,
        unverified - $unverified * words as unverified,
        self_graded - $self_graded * words as self_graded,
        deep::integer::double as deep,
        reserved::integer - $opt_out as reserved,
        forbidden::integer::double as forbidden
    from judged
)
