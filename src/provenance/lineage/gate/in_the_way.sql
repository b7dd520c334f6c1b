-- The limits that every member breaks by itself.
select bool_and(own > 0), bool_and(synthetic > 0), bool_and(unknown > 0), bool_and(human > 0), bool_and(unverified > 0),
    bool_and(self_graded > 0), bool_and(deep > 0), bool_and(reserved > 0), bool_and(forbidden > 0)
from costs
