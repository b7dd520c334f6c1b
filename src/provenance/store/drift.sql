-- Drift: whether style errs on known human text more often than the policy accepts.
--
-- Text captured before language models wrote is human, whatever style says of it. Where style alone would tag more of it
-- synthetic than alpha allows, the crawl is not like the text that the model was calibrated on, and its other style tags
-- deserve as little trust. Each text counts once, whatever its copies. A crawl with fewer than 200 such texts says nothing.

-- The chance that at least `hits` of `tries` independent texts are tagged if each is with chance `rate`.
create or replace macro chance_of_at_least(hits, tries, rate) as
    case when hits > 5 * tries * rate + 1000 then 0.0
         else greatest(0.0, 1 - coalesce(list_sum(list_transform(range(hits), lambda i: exp(
             lgamma(tries + 1) - lgamma(i + 1) - lgamma(tries - i + 1) + i * ln(rate) + (tries - i) * ln(1 - rate)))), 0))
    end;

create or replace view drift as
select scan_id, language, texts, tagged, tagged / texts as share, alpha,
    chance_of_at_least(tagged, texts, alpha) as chance,
    tagged > texts * alpha and chance_of_at_least(tagged, texts, alpha) < 0.05 as alarm
from (
    select record.scan_id, record.language, chosen.settings.style_alpha as alpha,
        count(distinct record.content_id) as texts,
        count(distinct record.content_id) filter (where record.p_human <= chosen.settings.style_alpha) as tagged
    from observations as record
    join current_policies as chosen on chosen.scan_id = record.scan_id
    where record.p_human is not null and record.text_kind = 'prose' and record.words >= chosen.settings.style_min_words
        and chosen.settings.style_alpha > 0 and chosen.settings.style_alpha < 1
        and trusted_date(record.captured_at, record.date_origin, record.recovered, chosen.settings)
            < chosen.settings.dated_before
    group by record.scan_id, record.language, alpha
)
where texts >= 200;
