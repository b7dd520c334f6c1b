-- The relations by their numbers, from 1 on.
create or replace macro relation_names() as ['distilled_from', 'fine_tuned_from', 'graded_by', 'hadMember', 'successor_of', 'trained_on',
    'used', 'verified_by', 'wasAttributedTo', 'wasDerivedFrom', 'wasGeneratedBy'];
