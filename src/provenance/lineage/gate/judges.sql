-- Who marked or verified the origins and the dataset ($nodes): a model, or for people and programs nobody.
select distinct judged.subject, judged.relation, if(starts_with(judged.object, 'model:'), judged.object, judge.object) as grader
from lineage_edges as judged
left join lineage_edges as judge on judge.subject = judged.object and judge.relation in ('used', 'wasAttributedTo')
    and starts_with(judge.object, 'model:')
where judged.relation in ('graded_by', 'verified_by') and list_contains($nodes, judged.subject)
order by all
