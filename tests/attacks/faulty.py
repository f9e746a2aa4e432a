"""The real service with every logger at its loudest and a fault planted: `python -m attacks.faulty ...`."""

import logging
import sys
from pathlib import Path
from typing import Any

PLANTED = "planted fault"


def main(folder: Path, data: Path, port: int, log: Path) -> None:
    """Serve; an answer with the words of the fault makes the service fail with the answer in its message."""
    import sqlalchemy  # noqa: F401

    from prescreen.service.patient import flow as patient_flow
    from prescreen.service.running import run_service

    for name in ("sqlalchemy", "uvicorn", "httpx2", "asyncio"):  # the first of them hushes itself when imported
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.basicConfig(filename=log, level=logging.DEBUG, format="%(name)s %(levelname)s %(message)s %(args)s")
    kept = patient_flow.reply

    def reply(house: Any, visit_id: str, asked: str, answer: str) -> None:
        if PLANTED in answer:
            raise RuntimeError(f"cannot keep {answer!r} of {visit_id}")
        kept(house, visit_id, asked, answer)

    patient_flow.reply = reply
    run_service(folder, {}, port=port, data=data)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
