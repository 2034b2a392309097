"""The mask doctor: finds out how masks are encoded and writes a corrected copy of the dataset."""

from segnet_res.data.doctor.fix import (
    Diagnosis,
    FixOptions,
    FixReport,
    diagnose,
    diagnose_steps,
    fix_steps,
)

__all__ = ["Diagnosis", "FixOptions", "FixReport", "diagnose", "diagnose_steps", "fix_steps"]
