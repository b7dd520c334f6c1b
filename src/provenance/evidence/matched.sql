-- Matched: how what a record shares with references is weighed and worded.
--
-- The weight grows with the share up to the share that decides; there it is 9, one false match in about eight thousand
-- (assumed).

create or replace macro matched_weight(match_share, human_share, policy) as
    policy.weights_matched * (least(coalesce(match_share, 0) / greatest(policy.matched_share, 0.01), 1)
                              - least(coalesce(human_share, 0) / greatest(policy.matched_human_share, 0.01), 1));

create or replace macro matched_evidence(words, synthetic_words, match_share, unverified_words, human_words, human_share,
                                         is_copy, source_of_text, reason, policy) as
    list_concat(
        case when synthetic_words > 0 then [{
            'kind': 'matched',
            'detail': format('{} of {} words stand in verified passages of {}', synthetic_words, words, source_of_text),
            'weight': matched_weight(match_share, 0, policy), 'measured': false,
            'name': if(is_copy, 'copy', 'passage'), 'decides': reason in ('match:copy', 'match:passage')}] else [] end,
        case when unverified_words > 0 then [{
            'kind': 'matched',
            'detail': format('{} of {} words stand in passages that are not yet verified', unverified_words, words),
            'weight': 0.0::double, 'measured': false,
            'name': 'unverified', 'decides': false}] else [] end,
        case when human_share > 0 then [{
            'kind': 'matched',
            'detail': format('{} of {} words stand in verified passages of known human text', human_words, words),
            'weight': matched_weight(0, human_share, policy), 'measured': false,
            'name': 'human-reference', 'decides': reason = 'match:human-reference'}] else [] end
    );
