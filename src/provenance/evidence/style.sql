-- Style: how the classifier's calibrated log-odds enter the evidence.
--
-- The score is a log likelihood ratio measured on the model's calibration set. No style weighs more than the cap: beyond it
-- the calibration sets hold too few documents to tell.

-- Not coalesce(): greatest() and least() pass over a null, so a missing score would count as the cap.
create or replace macro style_weight(style_score, policy) as
    case when style_score is null then 0
         else greatest(least(style_score, policy.weights_style_cap), -policy.weights_style_cap) end;

create or replace macro style_evidence(style_score, p_human, p_synthetic, calibration_bin, reason, policy) as
    case when style_score is not null then [{
        'kind': 'style',
        'detail': format('p_human {:.4f}, p_synthetic {:.4f} in {}', p_human, p_synthetic, calibration_bin),
        'weight': style_weight(style_score, policy), 'measured': true,
        'name': coalesce(calibration_bin, ''), 'decides': reason = 'style'}] else [] end;
