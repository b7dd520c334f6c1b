-- Text admitted on the word of the model that wrote it, or of a relative: one row for each graded set or dataset and grader.
-- The witness leads from what was graded to the author of text in it, and on to the grader.
with steps as materialized (
    select subject, relation, object from lineage_edges
    where relation in ('graded_by', 'verified_by', 'used', 'wasAttributedTo')
),
graders as (
    select graded.subject, graded.relation, null as evaluation, graded.object as grader
    from steps as graded
    where graded.relation in ('graded_by', 'verified_by') and starts_with(graded.object, 'model:')
    union
    select graded.subject, graded.relation, graded.object, judge.object
    from steps as graded
    join steps as judge on judge.subject = graded.object and judge.relation in ('used', 'wasAttributedTo')
    where graded.relation in ('graded_by', 'verified_by') and starts_with(judge.object, 'model:')
)
select graders.subject as graded, graders.grader, list_sort(list(distinct graders.relation)) as relations,
    min(graders.evaluation) as evaluation, any_value(loop.relatives) as authors, any_value(loop.tail) as witness,
    any_value(loop.direct_records) as records, any_value(loop.direct_words) as words
from graders
join possible_loops as loop on loop.dataset_id = graders.subject and loop.model = graders.grader and loop.direct
group by graders.subject, graders.grader
order by graders.subject, graders.grader
