-- The records whose tag a commit can change. `caused_by` names the sets whose standing changes, `found_now` the findings
-- that are published. What a record shares with a reference counts for less when an archive turns out to have held it
-- before the model was released, so every record that matches the reference of a new finding is among them.
select scan_id, record_id from found_now
union
select scan_id, record_id from matches where set_id in (select set_id from caused_by)
union
select scan_id, record_id from matches
where (set_id, reference_id) in (select distinct set_id, reference_id from found_now)
