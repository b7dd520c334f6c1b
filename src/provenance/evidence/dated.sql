-- Dated: what the time of capture says about who can have written a text.
--
-- Before 2019-02-14 (GPT-2's first, partial release) no language model wrote fluently; the default policy decides on
-- captures before 2019-01-01 and weighs them at -9, one synthetic text in about eight thousand, for wrong clocks
-- (assumed). Later captures only shift the prior share of synthetic text, which ranks and never decides.

-- A date that the policy trusts, or null.
create or replace macro trusted_date(captured_at, date_origin, recovered, policy) as
    case when not recovered and list_contains(policy.dated_trust, date_origin) then captured_at end;

-- Share of new web text that models wrote when the record was captured; records without a trusted date take the last
-- step, because an undated text may be as young as the youngest.
create or replace macro prior_share(trusted_at, policy) as
    coalesce(list_filter(policy.prior, lambda step: step."from" <= coalesce(trusted_at, timestamp '9999-01-01'))[-1].share,
             policy.prior[1].share);

create or replace macro dated_weight(captured_at, date_origin, recovered, policy) as
    case when trusted_date(captured_at, date_origin, recovered, policy) < policy.dated_before then policy.weights_dated
         else 0 end;

create or replace macro dated_evidence(captured_at, date_origin, recovered, policy) as
    case when trusted_date(captured_at, date_origin, recovered, policy) < policy.dated_before then [{
        'kind': 'dated',
        'detail': format('captured on {} by the {} date, before {}', strftime(captured_at, '%Y-%m-%d'), date_origin,
                         strftime(policy.dated_before, '%Y-%m-%d')),
        'weight': policy.weights_dated, 'measured': false, 'name': 'before', 'decides': true}] else [] end;
