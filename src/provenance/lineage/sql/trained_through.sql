-- What each model was trained on, itself or through the models that it was fine-tuned from. A model of that line whose training
-- nobody recorded has a row without a dataset.
with recursive tuned as materialized (select distinct subject, object from lineage_edges where relation = 'fine_tuned_from'),
line(model, base) using key (model, base) as (
    select id, id from lineage_nodes where kind = 'model'
    union
    select line.model, tuned.object
    from line join tuned on tuned.subject = line.base
    left join recurring.line as before on before.model = line.model and before.base = tuned.object
    where before.model is null
)
select line.model, line.base, training.dataset_id
from line left join trainings as training on training.model = line.base
