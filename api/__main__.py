"""``python -m api``: serve REST, WebSocket and pages until told to stop."""

import sys

from api.binding import require_safe_binding
from api.server import Server
from smartcity.errors import TrafficError
from smartcity.settings import Settings


def main() -> None:
    """Check the settings, then serve; a setting that cannot work ends with exit code 1 and one line."""
    try:
        settings = Settings()
        require_safe_binding(settings)
        Server(settings).run()
    except TrafficError as error:
        print(f"api: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
