"""Limits that a part must keep, from a YAML file, and the verdict on a mask."""

from segnet_res.spec.judging import Reason, Verdict
from segnet_res.spec.limits import RULES, Limit, Zone
from segnet_res.spec.spec import Spec

__all__ = ["RULES", "Limit", "Reason", "Spec", "Verdict", "Zone"]
