"""What a robot hears on its command topic: an answer to its report, why its report was refused, or a nudge.

A command is never the only way: whatever it says, the next report's answer says too. So a robot may miss one, and hear
one twice. It stops an assignment at a `cancel`, and after an offer or a rollback it reports at once and goes by the
answer: the fleet wants to know of the assignment, and the robot wants the signed manifest. Agents from before there was
a word for a refusal take it for no command, and hear of it over HTTPS.
"""

from surefoot.wire import limits
from surefoot.wire.errors import Refused
from surefoot.wire.fields import ID_CHARS, Fields, encode_object, parse_object
from surefoot.wire.offer import Answer, Offer, answer_from_object, answer_to_object, offer_from_object, offer_to_object
from surefoot.wire.record import Record
from surefoot.wire.report import FIRST_EPOCH, Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CODE = "refused-command-format"


class Command(Record):
    """One command: an answer, a refusal, a cancel, an offer, or the word to roll back, which may come with an offer.

    `answer` belongs to the report with these `epoch`, `boot` and `seq`, and so does `refused`, the code by which the
    server took nothing of it, with the sentence `detail`. They are None in any other command, and where the server
    could not read them. `cancel` names an assignment. `rollback` says that the server has a rollback order, as a
    rollback offer does.
    """

    __slots__ = ("offer", "rollback", "cancel", "answer", "epoch", "boot", "seq", "refused", "detail")
    offer: "Offer | None"
    rollback: bool
    cancel: "str | None"
    answer: "Answer | None"
    epoch: "str | None"
    boot: "int | None"
    seq: "int | None"
    refused: "str | None"
    detail: "str | None"

    def answers(self, report: Report) -> bool:
        """Whether it is the answer to this report, or its refusal."""
        is_answer = self.answer is not None or self.refused is not None
        return is_answer and (self.epoch, self.boot, self.seq) == (report.epoch, report.boot, report.seq)


_NOTHING: "dict[str, Any]" = {
    "offer": None,
    "rollback": False,
    "cancel": None,
    "answer": None,
    "epoch": None,
    "boot": None,
    "seq": None,
    "refused": None,
    "detail": None,
}


def _command(**fields: "Any") -> Command:
    values = dict(_NOTHING)
    values.update(fields)
    return Command(**values)


def offer_command(offer: Offer) -> Command:
    """Return the command that brings an offer."""
    return _command(offer=offer, rollback=offer.rollback)


def rollback_command() -> Command:
    """Return the command that tells a robot of a rollback order, without saying to what."""
    return _command(rollback=True)


def cancel_command(assignment_id: str) -> Command:
    """Return the command that stops an assignment."""
    return _command(cancel=assignment_id)


def answer_command(answer: Answer, report: Report) -> Command:
    """Return the command that answers this report."""
    return _command(answer=answer, epoch=report.epoch, boot=report.boot, seq=report.seq)


def refusal_command(refusal: Refused, report: "Report | None") -> Command:
    """Return the command that tells why this report was refused; without one, why some report was."""
    detail = refusal.message[: limits.DETAIL_CHARS_MAX]
    if report is None:
        return _command(refused=refusal.code, detail=detail)
    return _command(refused=refusal.code, detail=detail, epoch=report.epoch, boot=report.boot, seq=report.seq)


def parse_command(data: bytes) -> Command:
    """Parse a command from JSON bytes.

    Raises:
        Refused: `refused-command-format`, and the codes of `answer_from_object` and `offer_from_object`.
    """
    fields = Fields(parse_object(data, CODE, limits.COMMAND_BYTES_MAX), CODE, "command")
    if fields.has("answer"):
        return _command(
            answer=answer_from_object(fields.source["answer"]),
            epoch=fields.optional_text("epoch", limits.NAME_CHARS_MAX, ID_CHARS) or FIRST_EPOCH,
            boot=fields.integer("boot"),
            seq=fields.integer("seq"),
        )
    if fields.has("refused"):
        return _command(
            refused=fields.text("refused", limits.CODE_CHARS_MAX, ID_CHARS),
            detail=fields.optional_text("detail", limits.DETAIL_CHARS_MAX),
            epoch=fields.optional_text("epoch", limits.NAME_CHARS_MAX, ID_CHARS),
            boot=fields.optional_integer("boot"),
            seq=fields.optional_integer("seq"),
        )
    if fields.has("cancel"):
        return cancel_command(fields.text("cancel", limits.ASSIGNMENT_ID_CHARS_MAX, ID_CHARS))
    if fields.has("url"):
        return offer_command(offer_from_object(fields.source))
    if fields.flag("rollback"):
        return rollback_command()
    raise Refused(CODE, "The command says nothing to do: send an answer, a cancel, an offer or a rollback.")


def encode_command(command: Command) -> bytes:
    """Return the command as JSON bytes."""
    if command.answer is not None:
        answer = answer_to_object(command.answer)
        return encode_object(
            {"answer": answer, "epoch": command.epoch, "boot": command.boot, "seq": command.seq},
        )
    if command.refused is not None:
        refusal: "dict[str, Any]" = {"refused": command.refused, "detail": command.detail}
        if command.boot is not None:
            refusal.update({"epoch": command.epoch, "boot": command.boot, "seq": command.seq})
        return encode_object(refusal)
    if command.cancel is not None:
        return encode_object({"cancel": command.cancel})
    if command.offer is not None:
        return encode_object(offer_to_object(command.offer))
    return encode_object({"rollback": True})


def encode_nudge(offer: Offer) -> bytes:
    """Return the documented minimal command of an offer: url, sha256, version, and rollback where it is one."""
    value: "dict[str, Any]" = {"url": offer.url, "sha256": offer.sha256, "version": str(offer.version)}
    if offer.rollback:
        value["rollback"] = True
    return encode_object(value)
