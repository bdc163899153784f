"""What an operator does next in a key rotation, in a sentence."""

from typing import Any


def next_line(rotation: Any) -> str:
    """Return the sentence for where a rotation stands."""
    waiting = rotation["counts"]["straggler"] + rotation["counts"]["silent"]
    match rotation["step"]:
        case "generate":
            return "Next: surefoot key rotate --new-key file:NEW.pem"
        case "finished":
            return "The old key is destroyed. Destroy every copy of its private half, and its backups."
        case "cancelled":
            return "The rotation was given up. The old key stays revoked."
        case _ if rotation["lacking_skus"]:
            skus = ", ".join(rotation["lacking_skus"])
            return (
                f"Next: for each of {skus}: "
                "surefoot key rotate --image NEW.img --sku SKU --old-key URI, then surefoot rollout start RELEASE_ID"
            )
        case _ if waiting:
            return f"Waiting for {waiting} robots: roll the transition release out, or exclude them by name."
        case _ if rotation["root_names_old"]:
            return "Next: surefoot trust replace-key, then surefoot trust publish, then surefoot key rotate"
        case _:
            return "Next: surefoot key rotate, to destroy the old key."
