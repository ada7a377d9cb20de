"""A self-signed certificate: phones give cameras and caches to HTTPS pages only."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

valid_days = 30


def write_certificate(folder: Path, addresses: tuple[str, ...]) -> tuple[Path, Path]:
    """Write a new certificate for this machine; return the paths of certificate and key.

    Args:
        folder: where to; the key is readable by its owner only.
        addresses: by which other machines reach this one.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Shardpress development server")])
    numbers = [ipaddress.ip_address(address) for address in dict.fromkeys(("127.0.0.1", "::1", *addresses))]
    others = [x509.DNSName("localhost"), *map(x509.IPAddress, numbers)]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=valid_days))
        .add_extension(x509.SubjectAlternativeName(others), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[1].unlink(missing_ok=True)
    paths[1].touch(mode=0o600)
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return paths
