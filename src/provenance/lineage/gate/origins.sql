-- What the members hold text of: each generation set or model with the model that wrote it.
select held.origin, coalesce(authors.model, if(starts_with(held.origin, 'model:'), held.origin, null)) as author
from (select distinct origin from held) as held
left join set_authors as authors on authors.set_id = held.origin
order by held.origin
