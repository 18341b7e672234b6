"""Verifies many ledgers with the verifier in clients/verify/python: each line of standard input is the JSON of one, with `entries` and
`payloads`, lists of lines in base64, and `signed`, whether signatures are verified by `keys`. Writes a line of JSON for each: the
problems, `<verdict> <seq>`."""

import base64
import io
import json
import sys

from countersign_verify.entries import Entries
from countersign_verify.keys import read_keys
from countersign_verify.payloads import Payloads
from countersign_verify.verify import Verifier

LONGEST = 1 << 24


def stream(lines):
    return io.BytesIO(b"".join(base64.b64decode(line) + b"\n" for line in lines))


for text in sys.stdin:
    one = json.loads(text)
    keys = read_keys(json.dumps(one["keys"]).encode("utf-8")) if one["signed"] else None
    verifier = Verifier(one["ledger"], keys, [], Payloads(stream(one["payloads"]), LONGEST))
    result = verifier.run(Entries(stream(one["entries"]), LONGEST))
    print(json.dumps(["%s %s" % (problem.verdict, problem.seq) for problem in result.problems]))
