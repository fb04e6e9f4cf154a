"""A resolved plan as YAML, for people."""

from __future__ import annotations

import yaml

from probe.plan.loaded import LoadedPlan


def resolved_yaml(loaded: LoadedPlan) -> str:
    """The plan with everything filled in, secrets as `***`; it reads back as a plan once they are not."""
    document = loaded.resolved()["plan"]
    return yaml.dump(document, allow_unicode=True, sort_keys=False, default_flow_style=None, width=110)
