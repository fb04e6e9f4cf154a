"""A network profile as the text of a file that reads back as it."""

from __future__ import annotations

from typing import Any

import yaml

from probe.impairment.profile import NetworkProfile
from probe.plan.networks import to_document


def network_yaml(profile: NetworkProfile) -> str:
    """The file's name gives the profile's, so that it is not in the text."""
    document: dict[str, Any] = to_document(profile)
    text: dict[str, Any] = {"title": document["title"], "source": document["source"]}
    if document["up"] == document["down"]:
        text["both"] = document["up"]
    else:
        text |= {"up": document["up"], "down": document["down"]}
    return yaml.dump(text, allow_unicode=True, sort_keys=False, default_flow_style=None, width=110)
