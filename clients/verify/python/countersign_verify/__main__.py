"""The command `python3 -m countersign_verify`."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from typing import BinaryIO, List, Optional, Tuple

from .body import LEDGER
from .entries import Entries
from .keys import KeysUnreadable, read_keys
from .payloads import Payloads, PayloadsUnreadable
from .report import INTACT, as_json, as_text
from .verify import Verifier

INTACT_CODE, PROBLEMS_CODE, UNREADABLE_CODE = 0, 1, 2
_SEQ = re.compile(r"[1-9][0-9]{0,17}")
_HEAD = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})")
_MIB = 1 << 20


def _ledger(text: str) -> str:
    if not LEDGER.fullmatch(text):
        raise argparse.ArgumentTypeError("not <organization>/<region>")
    return text


def _head(text: str) -> Tuple[int, str]:
    match = _HEAD.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError("not SEQ:HASH, with 64 lowercase hex digits")
    return int(match.group(1)), match.group(2)


def _seq(text: str) -> int:
    if not _SEQ.fullmatch(text):
        raise argparse.ArgumentTypeError("not a position of up to 18 digits")
    return int(text)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="countersign_verify", description="Verify a ledger of entry format 1.")
    parser.add_argument("--ledger", type=_ledger, help="its name; without it, that of the first entry")
    parser.add_argument("--keys", metavar="JWKS_FILE", help="public keys; without them signatures are not verified")
    parser.add_argument("--head", type=_head, action="append", default=[], metavar="SEQ:HASH", help="a head kept elsewhere")
    parser.add_argument("--payloads", metavar="FILE", help="lines `<seq> <payload>`; without it values are not checked")
    parser.add_argument("--from-seq", type=_seq, default=1, metavar="N", help="position of the first line")
    parser.add_argument("--longest", type=_seq, default=16, metavar="MIB", help="longest line to check (16 MiB)")
    parser.add_argument("--json", action="store_true", help="write one JSON object")
    parser.add_argument("file", metavar="FILE", help="entries, one a line; - is standard input")
    return parser


def _run(options: argparse.Namespace, opened: contextlib.ExitStack) -> int:
    def file(name: str) -> BinaryIO:
        return opened.enter_context(open(name, "rb"))

    longest = options.longest * _MIB
    keys = None
    if options.keys is not None:
        keys = read_keys(file(options.keys).read())
    payloads: Optional[Payloads] = None
    if options.payloads is not None:
        payloads = Payloads(file(options.payloads), longest)
    source = sys.stdin.buffer if options.file == "-" else file(options.file)
    verifier = Verifier(options.ledger, keys, options.head, payloads, options.from_seq)
    result = verifier.run(Entries(source, longest, options.from_seq))
    print(as_json(result) if options.json else as_text(result))
    sys.stdout.flush()
    return INTACT_CODE if result.verdict == INTACT else PROBLEMS_CODE


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command; returns its exit code. Usage errors leave by SystemExit with 2, as argparse does."""
    options = _arguments().parse_args(arguments)
    try:
        with contextlib.ExitStack() as opened:
            return _run(options, opened)
    except BrokenPipeError:
        # Whoever read the result has gone. What is left in the buffer must not be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREADABLE_CODE
    except (OSError, KeysUnreadable, PayloadsUnreadable, ValueError) as error:
        message = str(error)
    except MemoryError:
        message = "not enough memory"
    print("countersign_verify: %s" % message.encode("ascii", "backslashreplace").decode("ascii"), file=sys.stderr)
    return UNREADABLE_CODE


if __name__ == "__main__":
    sys.exit(main())
