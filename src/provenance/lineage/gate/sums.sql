-- What the members that cost nothing give for each limit. Rounded, because threads add in any order and the same store is to give the
-- same subset.
select round(coalesce(fsum(own), 0), 6), round(coalesce(fsum(synthetic), 0), 6), round(coalesce(fsum(unknown), 0), 6),
    round(coalesce(fsum(human), 0), 6), round(coalesce(fsum(unverified), 0), 6), round(coalesce(fsum(self_graded), 0), 6),
    round(coalesce(fsum(deep), 0), 6), round(coalesce(fsum(reserved), 0), 6), round(coalesce(fsum(forbidden), 0), 6)
from costs where free
