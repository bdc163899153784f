"""`python -m surefoot.server.worker`: one of several processes that share a socket; `server.workers` starts it."""

import json
import logging
import os
import socket
import sys
import threading

from surefoot.server.certificates import CERTIFICATES_FOLDER, certificate_paths
from surefoot.server.listener import Listener
from surefoot.server.logs import configure_logging
from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.settings import ServerSettings
from surefoot.server.workers import READY
from surefoot.wire.errors import SurefootError


def main() -> int:
    """Serve by the order on standard input, until that input ends."""
    order = json.loads(sys.stdin.buffer.readline())
    settings = ServerSettings.model_validate(order["settings"])
    configure_logging(settings.log_level, settings.log_format)
    paths = certificate_paths(settings.data_dir / CERTIFICATES_FOLDER)
    broker = None if order["broker"] is None else BrokerAddress(**order["broker"])
    listener = Listener(settings, paths, order["public_url"], broker)
    threading.Thread(target=_stop_with_input, args=(listener,), daemon=True).start()
    try:
        with socket.socket(fileno=order["fd"]) as listening:
            listener.run(listening, _say_ready)
    except SurefootError as error:
        logging.getLogger(__name__).error("%s: %s", error.code, error.message)
        return 1
    return 0


def _stop_with_input(listener: Listener) -> None:
    # Past Python's own buffer, whose lock would be in the way when this process ends by itself.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    listener.stop()


def _say_ready() -> None:
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
