-- What all findings about a record say together: one row for each record that shares text with a reference.
--
-- Words that a human reference or a prompt covers too are not the model's; words of a verified passage are no longer
-- unverified.
select
    scan_id, record_id,
    coalesce(bit_count(synthetic & ~ coalesce(not_synthetic, bitstring('0', bit_length(synthetic)::integer))), 0)::integer
        as synthetic_words,
    synthetic_words / words as match_share,
    coalesce(bit_count(human), 0)::integer as human_words,
    human_words / words as human_share,
    coalesce(bit_count(unverified & ~ coalesce(verified | not_synthetic, verified, not_synthetic,
                                              bitstring('0', bit_length(unverified)::integer))), 0)::integer
        as unverified_words,
    unverified_words / words as unverified_share,
    is_copy,
    best.set_id as match_set, best.reference_id as match_reference, best.tier as match_tier, best.share as best_share,
    best.model as model, best.model_family as model_family, best.verified as best_verified,
    inadmissible
from (
    select
        scan_id, record_id, any_value(words) as words,
        bit_or(cover) filter (where admissible and verified) as synthetic,
        bit_or(cover) filter (where admissible and not verified) as unverified,
        bit_or(cover) filter (where verified) as verified,
        bit_or(cover) filter (where label = 'human' and verified) as human,
        bit_or(cover) filter (where label <> 'synthetic') as not_synthetic,
        coalesce(bool_or(tier = 'exact') filter (where admissible and verified), false) as is_copy,
        count(*) filter (where label = 'synthetic' and not admissible) as inadmissible,
        -- The longest finding, verified before unverified; ties go to the smaller identifier, not to the first written.
        min_by({'set_id': set_id, 'reference_id': reference_id, 'tier': tier, 'share': share, 'model': model,
                'model_family': model_family, 'verified': verified},
               (not verified, -matched_words, set_id, reference_id)) filter (where admissible) as best
    from findings
    group by scan_id, record_id
)
