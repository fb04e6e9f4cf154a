from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from probe.errors import NotMeasured
from probe.net.certificate import (
    CERTIFICATE_NAME,
    KEY_NAME,
    authorities,
    load_or_create,
    self_signed,
    state_directory,
)


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    state = tmp_path / "a" / "b"
    made = load_or_create(state)
    again = load_or_create(state)
    assert made.fingerprint == again.fingerprint
    assert isinstance(made.private_key, ec.EllipticCurvePrivateKey)
    assert made.private_key.curve.name == "secp256r1"
    assert sorted(path.name for path in state.iterdir()) == [KEY_NAME, CERTIFICATE_NAME]


def test_the_fingerprint_is_that_of_the_der_certificate() -> None:
    made = self_signed()
    assert made.fingerprint == hashlib.sha256(made.certificate.public_bytes(Encoding.DER)).hexdigest()


def test_only_the_owner_reads_the_key(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY_NAME).stat().st_mode) == 0o600


def test_the_state_folder_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_directory() == tmp_path / "rtcprobe"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_directory() == tmp_path / ".local" / "state" / "rtcprobe"


def test_other_content_is_told_in_a_sentence(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    (tmp_path / CERTIFICATE_NAME).write_text("something else")
    with pytest.raises(NotMeasured, match="holds no PEM certificate"):
        load_or_create(tmp_path)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    load_or_create(tmp_path / "one")
    load_or_create(tmp_path / "two")
    (tmp_path / "one" / KEY_NAME).replace(tmp_path / "two" / KEY_NAME)
    with pytest.raises(NotMeasured, match="is not the key of"):
        load_or_create(tmp_path / "two")


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotMeasured, match="cannot keep the node's certificate in"):
        load_or_create(tmp_path / "file" / "state")


def test_half_a_pair_is_not_replaced_in_silence(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    (tmp_path / CERTIFICATE_NAME).unlink()
    with pytest.raises(NotMeasured):
        load_or_create(tmp_path)


def test_authorities_must_be_readable(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="cannot use the certificate authorities in"):
        authorities(str(tmp_path / "none.pem"))
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(NotMeasured):
        authorities(str(tmp_path / "bad.pem"))
    good = tmp_path / "good.pem"
    good.write_bytes(self_signed().certificate.public_bytes(Encoding.PEM))
    assert authorities(str(good)) == str(good)
