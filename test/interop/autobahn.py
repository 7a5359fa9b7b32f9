"""Runs cases of the Autobahn test suite against a server, and prints what each found as JSON.

usage: autobahn.py URL CASES WITHOUT
       CASES and WITHOUT: ids or globs such as 9.*, separated by commas; - for none
"""

import asyncio
import json
import os
import sys

from kosoku import FailureError, run_fuzzingclient


async def main(url: str, cases: str, without: str) -> None:
    try:
        results = await run_fuzzingclient(url, cases.split(","), without.split(","), concurrency=8)
    except FailureError as error:
        results = error.results
    print(json.dumps({one.case_id: [one.behavior.value, one.behavior_close.value] for one in results}), flush=True)
    # Its threads abort when Python takes leave of them.
    os._exit(0)


asyncio.run(main(*sys.argv[1:4]))
