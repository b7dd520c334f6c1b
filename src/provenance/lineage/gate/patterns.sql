-- The members by which limits they cost something for, at the weight that each begins with.
select pattern, sum(start)::double, sum(start * own)::double, sum(start * synthetic)::double, sum(start * unknown)::double,
    sum(start * human)::double, sum(start * unverified)::double, sum(start * self_graded)::double, sum(start * deep)::double,
    sum(start * reserved)::double, sum(start * forbidden)::double
from (select *, pow(greatest(0, 1 - synthetic_share), $exponent) as start from costs)
group by pattern
order by pattern
