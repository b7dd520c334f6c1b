-- The known texts of models that the members hold, word by word.
select text.record_id, text.origin, text.cover
from record_text as text
join member on member.record_id = text.record_id
