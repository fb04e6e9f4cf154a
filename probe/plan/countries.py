"""Countries, their names and their time zones, from the tables that come with the tz database.

`iso3166.tab` and `zone.tab` of the `tzdata` package, so that names and zones are as current as the installed
zone rules. Public domain; see the heads of these files for what they claim and what they do not.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib import resources

from probe.errors import ConfigError
from probe.plan.diagnostics import did_you_mean

# zone.tab lists a country's zones by geography; where its first is not where most people live, this one is.
_MOST_POPULOUS = {
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "PS": "Asia/Hebron",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "UZ": "Asia/Tashkent",
}

# What people and other tables call countries that iso3166.tab calls something else (ISO short names among them).
_OTHER_NAMES = {
    "aland": "AX",
    "bonaire sint eustatius and saba": "BQ",
    "bolivia plurinational state of": "BO",
    "brunei darussalam": "BN",
    "burma": "MM",
    "cabo verde": "CV",
    "czechia": "CZ",
    "central african republic": "CF",
    "congo": "CG",
    "congo kinshasa": "CD",
    "congo brazzaville": "CG",
    "congo the democratic republic of the": "CD",
    "dr congo": "CD",
    "drc": "CD",
    "democratic republic of the congo": "CD",
    "republic of the congo": "CG",
    "cote d ivoire": "CI",
    "ivory coast": "CI",
    "east timor": "TL",
    "england": "GB",
    "eswatini": "SZ",
    "swaziland": "SZ",
    "falkland islands malvinas": "FK",
    "french southern territories": "TF",
    "great britain": "GB",
    "uk": "GB",
    "united kingdom": "GB",
    "united kingdom of great britain and northern ireland": "GB",
    "holland": "NL",
    "holy see vatican city state": "VA",
    "vatican": "VA",
    "hong kong sar": "HK",
    "iran islamic republic of": "IR",
    "korea": "KR",
    "korea republic of": "KR",
    "republic of korea": "KR",
    "korea democratic people s republic of": "KP",
    "lao people s democratic republic": "LA",
    "macao": "MO",
    "macau": "MO",
    "micronesia federated states of": "FM",
    "moldova republic of": "MD",
    "myanmar": "MM",
    "macedonia": "MK",
    "north macedonia": "MK",
    "palestine": "PS",
    "palestine state of": "PS",
    "philippines": "PH",
    "pitcairn islands": "PN",
    "russian federation": "RU",
    "saint martin french part": "MF",
    "saint vincent and the grenadines": "VC",
    "sint maarten": "SX",
    "sint maarten dutch part": "SX",
    "timor leste": "TL",
    "united states minor outlying islands": "UM",
    "saint helena ascension and tristan da cunha": "SH",
    "south georgia": "GS",
    "syrian arab republic": "SY",
    "taiwan province of china": "TW",
    "tanzania united republic of": "TZ",
    "turkiye": "TR",
    "uae": "AE",
    "united states of america": "US",
    "us": "US",
    "usa": "US",
    "america": "US",
    "venezuela bolivarian republic of": "VE",
    "viet nam": "VN",
    "virgin islands british": "VG",
    "virgin islands u s": "VI",
}


@cache
def country_names() -> dict[str, str]:
    """ISO 3166-1 alpha-2 code -> usual English name, of all 249."""
    return {fields[0]: fields[1] for fields in _table("iso3166.tab")}


@cache
def _zones() -> dict[str, tuple[str, ...]]:
    zones: dict[str, list[str]] = {}
    for code, _coordinates, zone, *_comment in _table("zone.tab"):
        zones.setdefault(code, []).append(zone)
    return {
        code: tuple(sorted(names, key=lambda zone: zone != _MOST_POPULOUS.get(code)))
        for code, names in zones.items()
    }


def timezones_of(code: str) -> tuple[str, ...]:
    """The zones of a country, the most populous first; none for the uninhabited islands BV and HM."""
    return _zones().get(code, ())


def find_country(text: str) -> str:
    """The code of a country given by code or English name, whatever its capitals, accents and articles.

    Raises ConfigError with the nearest name when there is no such country.
    """
    known = country_names()
    if text.strip().upper() in known:
        return text.strip().upper()
    names, folded = _by_name(), _folded(text)
    if folded in names:
        return names[folded]
    longer = {code for name, code in names.items() if folded and name.startswith(f"{folded} ")}
    if len(longer) == 1:  # bosnia, trinidad
        return longer.pop()
    raise ConfigError(
        f"no country '{text}'{did_you_mean(folded, list(names))}",
        hint="give an ISO 3166-1 code such as TH, or an English name such as thailand",
    )


@cache
def _by_name() -> dict[str, str]:
    names: dict[str, str] = {}
    for code, name in country_names().items():
        names[_folded(name)] = code
        plain, _, detail = name.rstrip(")").partition(" (")
        if detail:  # Korea (South) -> south korea; Myanmar (Burma) -> myanmar
            names[_folded(f"{detail} {plain}")] = code
            if plain not in ("Congo", "Korea", "Samoa", "St Martin", "Virgin Islands"):
                names[_folded(plain)] = code
    names["samoa"] = "WS"
    return names | _OTHER_NAMES


def _folded(name: str) -> str:
    """Lower case without accents, punctuation and leading article; `&` and `St` spelt out."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    words = re.sub(r"[^a-z0-9]+", " ", bare.casefold().replace("&", " and ")).split()
    spelt = ["saint" if word == "st" else "islands" if word == "is" else word for word in words]
    return " ".join(spelt[1:] if spelt[:1] == ["the"] else spelt)


def _table(name: str) -> list[list[str]]:
    text = (resources.files("tzdata") / "zoneinfo" / name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
