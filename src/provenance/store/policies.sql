-- The policy that each scan's verdicts are computed under: the one named last.
select chosen.scan_id, chosen.policy_id, policies.name, policies.version, policies.settings
from (select scan_id, arg_max(policy_id, (recorded_at, rowid)) as policy_id from scan_policies group by scan_id) as chosen
join (select policy_id, any_value(name) as name, any_value(version) as version, any_value(settings) as settings
      from policies group by policy_id) as policies using (policy_id)
