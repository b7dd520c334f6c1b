-- The verdict: a tag, its reason and a score, as one expression over an observation, what matched it, and a policy.
--
-- The first rule that applies decides. Every number comes from the policy (a STRUCT, see provenance.policy); the
-- expression reads nothing else, so the same text gives the same tag over the store and over Arrow batches.

-- The first name, in the order of observation, of a piece of evidence that decides on its own under the policy.
create or replace macro deciding_name(evidence, wanted_kind, ignored) as
    list_filter(evidence, lambda e: e.kind = wanted_kind and e.decides and not list_contains(ignored, e.name))[1].name;

create or replace macro decision(captured_at, date_origin, recovered, text_kind, words, evidence,
                                 p_human, p_synthetic, calibration_bin,
                                 synthetic_words, match_share, is_copy, human_share,
                                 unverified_words, unverified_share, policy) as
    case
        -- 1. dated
        when trusted_date(captured_at, date_origin, recovered, policy) < policy.dated_before
            then {'tag': 'human', 'reason': 'dated'}
        -- 2. matched
        when match_share >= policy.matched_share and synthetic_words >= policy.matched_min_words
            then {'tag': 'synthetic', 'reason': if(is_copy, 'match:copy', 'match:passage')}
        when unverified_share >= policy.matched_unverified_share and unverified_words >= policy.matched_unverified_words
            then {'tag': 'synthetic', 'reason': 'match:passage'}
        when human_share >= policy.matched_human_share and coalesce(synthetic_words, 0) < policy.matched_mixed_words
            then {'tag': 'human', 'reason': 'match:human-reference'}
        -- 3. declared
        when len(evidence) > 0 and policy.declared_decides and not recovered  -- most records have none
             and deciding_name(evidence, 'declared', policy.declared_ignore) is not null
            then {'tag': 'synthetic', 'reason': 'declared:' || deciding_name(evidence, 'declared', policy.declared_ignore)}
        -- 4. marker
        when len(evidence) > 0 and policy.marker_decides
             and deciding_name(evidence, 'marker', policy.marker_ignore) is not null
            then {'tag': 'synthetic', 'reason': 'marker:' || deciding_name(evidence, 'marker', policy.marker_ignore)}
        -- 5. style, unless a smaller matched part or weak evidence to the contrary makes it mixed
        when policy.style_decides and text_kind = 'prose' and words >= policy.style_min_words
             and p_human <= policy.style_alpha
            then {'tag': 'synthetic', 'reason': 'style'}
        when synthetic_words >= policy.matched_mixed_words or unverified_words >= policy.matched_mixed_words
            then {'tag': 'unknown', 'reason': 'mixed'}
        when policy.style_decides and text_kind = 'prose' and words >= policy.style_min_words
             and p_synthetic <= policy.style_beta
            then case when coalesce(list_sum(list_transform(evidence, lambda e: e.weight)), 0) >= policy.style_conflict_weight
                      then {'tag': 'unknown', 'reason': 'mixed'}
                      else {'tag': 'human', 'reason': 'style'} end
        -- 6. what is missing
        when text_kind = 'empty' or words < policy.style_min_words then {'tag': 'unknown', 'reason': 'too-short'}
        when text_kind <> 'prose' then {'tag': 'unknown', 'reason': 'not-prose'}
        when calibration_bin is null then {'tag': 'unknown', 'reason': 'language-not-calibrated'}
        else {'tag': 'unknown', 'reason': 'inconclusive'}
    end;

-- Posterior probability of synthetic from the prior and the sum of the weights. It ranks; it does not decide.
create or replace macro verdict_score(captured_at, date_origin, recovered, evidence, style_score, match_share, human_share,
                                      policy) as
    1 / (1 + exp(-(
        ln(prior_share(trusted_date(captured_at, date_origin, recovered, policy), policy)
           / (1 - prior_share(trusted_date(captured_at, date_origin, recovered, policy), policy)))
        + dated_weight(captured_at, date_origin, recovered, policy)
        + coalesce(list_sum(list_transform(evidence, lambda e: e.weight)), 0)
        + style_weight(style_score, policy)
        + matched_weight(match_share, human_share, policy)
    )));
