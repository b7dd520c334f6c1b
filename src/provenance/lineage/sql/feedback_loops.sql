-- Feedback loops: one row for each (model, dataset) pair where the dataset trains the model and holds text that the model or a
-- relative generated. The witness is a shortest closed path that begins and ends at the model.
select
    training.model, training.dataset_id as dataset,
    list_concat(if(training.run_id is null, [training.model], [training.model, training.run_id]), loop.tail) as witness,
    loop.relatives, loop.records, loop.words,
    case when sealed.words > 0 then loop.words / sealed.words end as share,
    case when sealed.records > 0 then loop.records / sealed.records end as record_share,
    loop.direct, loop.direct_records, loop.direct_words
from trainings as training
join possible_loops as loop on loop.dataset_id = training.dataset_id and loop.model = training.model
left join sealed_amounts as sealed on sealed.dataset_id = training.dataset_id
order by training.model, training.dataset_id
