-- The known text of each member by what `origin_facts` says of where it is from.
select record_id,
    bit_count(bit_or(cover)) as known_words,
    coalesce(bit_count(bit_or(cover) filter (where fact.own)), 0) as own_words,
    coalesce(bit_count(bit_or(cover) filter (where fact.verified)), 0) as verified_words,
    coalesce(bit_count(bit_or(cover) filter (where fact.self_graded)), 0) as self_graded_words,
    max(fact.depth) as depth
from held join origin_facts as fact on fact.origin = held.origin
group by record_id
