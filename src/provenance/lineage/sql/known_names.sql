-- Names of models are compared without case, the publisher before a slash, and the difference between space, dot, _ and -.
create or replace macro model_key(name) as
    regexp_replace(regexp_replace(lower(trim(name)), '^.*/', ''), '[ ._-]+', '-', 'g');

-- The same without a date or `latest` behind it: snapshots of one model.
create or replace macro model_base_key(name) as
    regexp_replace(model_key(name), '(-(latest|preview|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}|[0-9]{4}))+$', '');
