from surefoot.shell.controller_http import Controller


class SaidController(Controller):
    """A controller that says this."""

    def __init__(self, body: bytes) -> None:
        super().__init__("http://controller", "token")
        self.body = body

    def _ask(self, *_request: object) -> tuple[int, bytes]:
        return 200, self.body


def test_what_a_controller_calls_its_error_can_be_logged() -> None:
    said = SaidController(rb'{"status":"error","version":"1.0.0","error":"no \ud800 room\u001b[2J"}').status()
    assert said.error == "no ? room?[2J"
