-- Which models were out at a moment, so that a record captured then can hold their text: those recorded in the store, by the
-- date that the user gave or else the catalogue's, and those of the catalogue. A recorded model whose release is not known
-- can't be ruled out and has no date. `depth_at_least`: how deep its text is at least.
select model, developer, family, released, released_from, recorded, trained_on_synthetic,
    1 + greatest(coalesce(at_least, 0), if(coalesce(trained_on_synthetic, false), 1, 0)) as depth_at_least
from (
    select facts.model, facts.developer, facts.family, facts.released, facts.released_from, true as recorded,
        facts.trained_on_synthetic, depth.at_least
    from model_facts as facts left join node_depth as depth on depth.id = 'model:' || facts.model
    union all
    select known.model, known.developer, known.family, known.released, 'catalogue', false, known.trained_on_synthetic, null
    from known_models as known
    where known.model not in (select known_model from model_facts where known_model is not null)
)
where released <= captured::date or (recorded and released is null)
order by released desc nulls last, model
