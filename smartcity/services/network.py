"""What Java must be told to reach the network where only the environment knows: a proxy, a company's certificates."""

import os
import re
import ssl
import warnings
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

#: Names that other programs read a bundle of certificates from, in the order they are believed.
BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def bundle() -> Path | None:
    """The certificates this machine trusts, as one PEM file; None where none is found (Java then uses its own)."""
    named = [os.environ.get(name) for name in BUNDLES]
    for path in (*named, ssl.get_default_verify_paths().cafile, *SYSTEM_BUNDLES):
        if path and Path(path).is_file():
            return Path(path)
    return None


def trust_options(folder: Path) -> list[str]:
    """Options that make Java trust the machine's certificates, kept as a trust store in ``folder``."""
    source = bundle()
    if source is None:
        return []
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

    entries: list[pkcs12.PKCS12Certificate] = []
    for number, block in enumerate(
        re.findall(rb"-----BEGIN CERT.+?-----END CERT[^-]+-----", source.read_bytes(), re.S)
    ):
        # Bundles carry old roots that break a rule or two; what cannot be read is left out.
        with warnings.catch_warnings(action="ignore"), suppress(ValueError):
            entries.append(pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(block), str(number).encode()))
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "trust.p12"
    store.write_bytes(pkcs12.serialize_java_truststore(entries, NoEncryption()))
    return [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStoreType=PKCS12"]


def proxy_options() -> list[str]:
    """Java's names for ``http_proxy``, ``https_proxy`` and ``no_proxy``."""
    options: list[str] = []
    for scheme in ("http", "https"):
        address = os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY")
        if address:
            parts = urlsplit(address if "://" in address else f"http://{address}")
            options += [f"-D{scheme}.proxyHost={parts.hostname}", f"-D{scheme}.proxyPort={parts.port or 80}"]
    direct = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    if direct:
        hosts = [f"*{host}" if host.startswith(".") else host for host in direct.replace(" ", "").split(",") if host]
        options.append(f"-Dhttp.nonProxyHosts={'|'.join(hosts)}")
    return options
