#!/usr/bin/env python3
"""A balance service for authswitch in one file, standard library only: what a product's engineer copies to start.

    python3 balance_service.py --key ../../config/keys/funding.key --open acct_1:USD:100000

Every message is appended to --log and synced before it is acknowledged, and a start reads the log again. Your own
service does the same with one database transaction a message. Amounts are whole smallest units, never floats.
"""
import argparse, base64, hashlib, hmac, json, os, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KINDS = ["ask", "confirm", "cancel", "advice", "reversal", "clearing", "refund", "undo"]
PATHS = {f"/v1/{kind}s": kind for kind in KINDS} | {"/v1/expiries": "expiry"}


class Books:
    """What each account has, what is reserved for which ask, and which messages have had their effect."""
    def __init__(self):
        self.accounts, self.asks, self.done = {}, {}, set()
    def account(self, message):
        empty = {"ledger": 0, "reserved": 0, "version": 0}
        return self.accounts.setdefault((message["account"], message["asset"]), empty)

    def reserve(self, message, ask, units):
        """Makes `units` what is reserved for the ask, and moves its account along."""
        self.account(message)["reserved"] += units - ask["reserved"]
        ask["reserved"] = units

    def take(self, kind, message):
        """Does what a message says, once, and returns the answer: the same one if it comes again."""
        ask = self.asks.setdefault(message["ask_id"], {"reserved": 0, "answer": None, "closed": None})
        account, units, name = self.account(message), int(message["units"]), message[kind + "_id"]
        if name not in self.done:
            self.done.add(name)
            account["version"] += 1
            step = self.decide if kind == "ask" else self.follow_up
            step(kind, message, ask, account, units)
        return ask["answer"] if kind == "ask" else {}

    def decide(self, kind, message, ask, account, wanted):
        available = account["ledger"] - account["reserved"]
        granted = min(wanted, available) if message["partial_ok"] else wanted
        answer = {"ask_id": message["ask_id"], "decision": "decline"}
        if ask["closed"]:
            answer["code"] = ask["closed"]
        elif not 0 < granted <= available:
            answer["reason"] = "insufficient_funds"
        else:
            self.reserve(message, ask, granted)
            answer |= {"decision": "approve", "units": str(granted)}
        available = account["ledger"] - account["reserved"]
        ask["answer"] = answer | {"balance": {"version": account["version"], "available": str(available)}}

    def follow_up(self, kind, message, ask, account, units):
        """None of these can be refused: all of it has happened already, so an account may fall below zero."""
        reserved = ask["reserved"]
        if kind == "cancel":
            if ask["answer"] is None:
                ask["closed"] = ask["closed"] or "cancelled_before"  # it overtook its ask
            self.reserve(message, ask, 0 if message["cause"] == "outcome_unknown" else max(0, reserved - units))
        elif kind == "advice":
            ask["closed"] = "advised_before"
            self.reserve(message, ask, units)
        elif kind in ("reversal", "expiry"):
            self.reserve(message, ask, max(0, reserved - units))
        elif kind == "clearing":
            gone = int(message["reserved"]) + int(message["released"])
            self.reserve(message, ask, 0 if message["last"] else max(0, reserved - gone))
            account["ledger"] -= units
        elif kind == "refund" or (kind == "undo" and message["direction"] == "credit"):
            account["ledger"] += units
        elif kind == "undo":
            account["ledger"] -= units


def signature(key, message_id, timestamp, body):
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


class Handler(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm, wbufsize = "HTTP/1.1", True, 65536  # keep-alive, one packet an answer

    def do_GET(self):
        with self.server.lock:
            told = [(a, b, str(c["ledger"]), str(c["reserved"])) for (a, b), c in self.server.books.accounts.items()]
        names = ("account", "asset", "ledger", "reserved")
        self.answer(200, {"accounts": [dict(zip(names, one)) for one in told]})

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("content-length") or 0), 65536))
        message_id, sent = self.headers.get("webhook-id", ""), self.headers.get("webhook-timestamp", "")
        expected = [signature(key, message_id, sent, body) for key in self.server.keys]
        given = self.headers.get("webhook-signature", "").split()
        fits = any(hmac.compare_digest(a, b) for a in given for b in expected)
        if not fits or not sent.isdigit() or abs(time.time() - int(sent)) > 300:
            return self.answer(401, {"error": "the signature does not fit"})
        try:
            kind, message = PATHS[self.path], json.loads(body)
            with self.server.lock:
                answer = self.server.books.take(kind, message)
                self.server.log.write(json.dumps([kind, message]).encode() + b"\n")
                self.server.log.flush()
                os.fsync(self.server.log.fileno())
            self.answer(200, answer, message_id)
        except (KeyError, TypeError, ValueError) as error:
            self.answer(422, {"error": f"cannot be read: {error!r}"})

    def answer(self, status, content, message_id=""):
        body, now = json.dumps(content).encode(), str(int(time.time()))
        self.send_response(status)
        headers = {"content-type": "application/json", "content-length": len(body)}
        if message_id and self.server.answer_key:
            signed = signature(self.server.answer_key, message_id, now, body)
            headers |= {"webhook-id": message_id, "webhook-timestamp": now, "webhook-signature": signed}
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass  # a line for each message would cost more than the decision


def main():
    keys = lambda path: [base64.b64decode(line.removeprefix("whsec_")) for line in open(path).read().split()]
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--listen", default="127.0.0.1:8584", help="address and port (%(default)s)")
    options.add_argument("--key", type=keys, required=True, help="file of the keys that requests are signed with")
    options.add_argument("--answer-key", type=keys, default=[None], help="file of the key to sign answers with")
    options.add_argument("--open", action="append", default=[], help="ACCOUNT:ASSET:UNITS, may be given again")
    options.add_argument("--log", default="balance_service.log", help="what a restart reads again (%(default)s)")
    given = options.parse_args()
    host, port = given.listen.split(":")
    server = ThreadingHTTPServer((host, int(port)), Handler)
    server.keys, server.answer_key = given.key, given.answer_key[0]
    server.books, server.lock, server.log = Books(), threading.Lock(), open(given.log, "ab+")
    for account, asset, units in (opening.split(":") for opening in given.open):
        server.books.account({"account": account, "asset": asset})["ledger"] += int(units)
    server.log.seek(0)
    whole, _, _torn = server.log.read().rpartition(b"\n")  # what was torn was never acknowledged
    server.log.truncate(len(whole) + 1 if whole else 0)
    for line in whole.splitlines():
        server.books.take(*json.loads(line))
    print(f"listening on {host}:{server.server_port}", flush=True)
    server.serve_forever()


main()
