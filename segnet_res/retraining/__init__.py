"""From corrected pictures to a better checkpoint: what to label, retraining, promotion."""
