-- Each member with the words that count towards each limit. Style counts by `chances`, whose sum is the lower limit of the estimated
-- share, where there is an estimate, else by tags. Synthetic words whose set somebody verified, or whose author graded
-- them, are counted by their part of the record's known text.
create or replace temp view judged as
select member.record_id, member.scan_id, member.source_id, member.position, member.words, member.tag, member.reason, member.score,
    member.exact, coalesce(texts.own_words, 0) as own_words,
    case when chances.chance is not null then member.words * chances.chance
         when member.tag = 'synthetic' then member.words - member.exact else 0 end as style,
    member.exact + style as synthetic,
    if(member.tag = 'synthetic', member.words, 0) as tagged,
    if(member.tag = 'unknown', member.words, 0) as unknown,
    if(member.tag = 'human', member.words, 0) as human,
    member.exact * (1 - coalesce(texts.verified_words / nullif(texts.known_words, 0), 0)) as unverified,
    member.exact * coalesce(texts.self_graded_words / nullif(texts.known_words, 0), 0) as self_graded,
    greatest(coalesce(texts.depth, 0), if(member.tag = 'synthetic', 1, 0)) as passed,
    passed > (select settings.gate_max_depth from gate_policy) as deep,
    member.reserved, member.forbidden
from present as member
left join texts on texts.record_id = member.record_id
left join chances on chances.bin = member.bin and chances.cell = member.cell
