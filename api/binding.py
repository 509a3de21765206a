"""Whether it is safe to listen where the settings say; asked before anything heavy is imported."""

import ipaddress

from smartcity.errors import SettingsError
from smartcity.settings import Settings


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secret(settings: Settings) -> str:
    """The token; empty where none is set."""
    return settings.api_token.get_secret_value() if settings.api_token else ""


def require_safe_binding(settings: Settings) -> None:
    """Raises: SettingsError where the API would listen beyond this machine without a token."""
    if not is_loopback(settings.bind_host) and not secret(settings):
        raise SettingsError(
            f"TRAFFIC_BIND_HOST={settings.bind_host} lets other machines in, and TRAFFIC_API_TOKEN is not set. "
            "Set a token (for instance: openssl rand -hex 32), or bind to 127.0.0.1"
        )
