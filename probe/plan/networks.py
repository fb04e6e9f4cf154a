"""Network profiles: `profiles/networks/NAME.yaml`, a file, or a mapping in the plan -> NetworkProfile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import model_validator

from probe.impairment.advice import advice
from probe.impairment.profile import CLEAN, NetworkProfile
from probe.plan.direction import DirectionSpec
from probe.plan.fields import Name, Strict, Text
from probe.plan.network_document import direction_document


class NetworkSpec(Strict):
    """A profile as it stands in a file. `both` is `up` and `down` at once; `source` says where the numbers are from."""

    name: Name
    title: Text = ""
    source: Text = "the plan"
    both: DirectionSpec | None = None
    up: DirectionSpec = DirectionSpec()
    down: DirectionSpec = DirectionSpec()

    @model_validator(mode="after")
    def _is_possible(self) -> NetworkSpec:
        if self.both is not None and self.model_fields_set & {"up", "down"}:
            raise ValueError("`both` stands for `up` and `down`: give it alone, or the two")
        return self

    def profile(self) -> NetworkProfile:
        up, down = (self.both or direction for direction in (self.up, self.down))
        return NetworkProfile(
            self.name, self.title or self.name, up.impairment(), down.impairment(), self.source
        )


def to_document(profile: NetworkProfile) -> dict[str, object]:
    """The mapping that reads back as `profile`; for the manifest of a run."""
    return {
        "name": profile.name,
        "title": profile.title,
        "source": profile.source,
        "up": direction_document(profile.up),
        "down": direction_document(profile.down),
    }


def from_document(document: Mapping[str, object]) -> NetworkProfile:
    """Read what `to_document` wrote, or a whole profile file; pydantic.ValidationError when it is neither."""
    return NetworkSpec.model_validate(document).profile()


def warnings_of(profile: NetworkProfile) -> Iterator[tuple[tuple[str, ...], str]]:
    """What each direction does that its author may not mean: the keys to point at, the first that is there, and
    a sentence."""
    seen: dict[str, tuple[str, ...]] = {}
    for key, impairment in (("up", profile.up), ("down", profile.down)):
        for sentence in advice(impairment):
            seen[sentence] = (*seen.get(sentence, ()), key)
    for sentence, keys in seen.items():
        yield (*keys, "both"), sentence


BUILT_IN = {CLEAN.name: CLEAN}
"""Networks that need no file."""
