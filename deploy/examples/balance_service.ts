// A balance service for authswitch in one file, without dependencies: what a product's engineer copies to start.
//
//     node balance_service.ts --key ../../config/keys/funding.key --open acct_1:USD:100000
//
// Node.js 22.18 or newer runs it as it is; older ones need `npx tsc` first. Every message is appended to --log and synced before
// it is acknowledged, and a start reads the log again. Your own service does the same with one database transaction a message.
import { createHmac, timingSafeEqual } from "node:crypto";
import { existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { parseArgs } from "node:util";

const KINDS = ["ask", "confirm", "cancel", "advice", "reversal", "clearing", "refund", "undo"];
const PATHS = new Map([...KINDS.map((kind) => [`/v1/${kind}s`, kind] as const), ["/v1/expiries", "expiry"]]);

type Message = { ask_id: string; account: string; asset: string; units: string; [field: string]: unknown };
type Account = { ledger: bigint; reserved: bigint; version: number };
type Ask = { reserved: bigint; answer?: object; closed?: string };

/** What each account has, what is reserved for which ask, and which messages have had their effect. */
class Books {
  accounts = new Map<string, Account>();
  asks = new Map<string, Ask>();
  done = new Set<string>();

  account(account: string, asset: string): Account {
    return found(this.accounts, `${account}:${asset}`, () => ({ ledger: 0n, reserved: 0n, version: 0 }));
  }

  /** Does what a message says, once, and returns the answer: the same one if it comes again. */
  take(kind: string, message: Message): object {
    const [name, units] = [message[`${kind}_id`], whole(message.units)];
    if (typeof name !== "string" || typeof message.ask_id !== "string") throw new Error(`${kind}_id is missing`);
    const ask = found(this.asks, message.ask_id, (): Ask => ({ reserved: 0n }));
    const account = this.account(message.account, message.asset);
    if (!this.done.has(name)) {
      this.done.add(name);
      account.version += 1;
      if (kind === "ask") ask.answer = decide(message, ask, account, units);
      else followUp(kind, message, ask, account, units);
    }
    return kind === "ask" ? ask.answer! : {};
  }
}

const whole = (units: unknown): bigint => BigInt(units as string);
function found<V>(map: Map<string, V>, key: string, fresh: () => V): V {
  if (!map.has(key)) map.set(key, fresh());
  return map.get(key)!;
}

/** Makes `units`, but not less than nothing, what is reserved for the ask, and moves its account along. */
function reserve(ask: Ask, account: Account, units: bigint): void {
  const kept = units > 0n ? units : 0n;
  account.reserved += kept - ask.reserved;
  ask.reserved = kept;
}

function decide(message: Message, ask: Ask, account: Account, wanted: bigint): object {
  const before = account.ledger - account.reserved;
  const granted = message.partial_ok === true && before < wanted ? before : wanted;
  let said: object = { decision: "decline", reason: "insufficient_funds" };
  if (ask.closed) said = { decision: "decline", code: ask.closed };
  else if (granted > 0n && granted <= before) {
    reserve(ask, account, granted);
    said = { decision: "approve", units: `${granted}` };
  }
  const available = `${account.ledger - account.reserved}`;
  return { ask_id: message.ask_id, ...said, balance: { version: account.version, available } };
}

/** None of these can be refused: all of it has happened already, so an account may fall below zero. */
function followUp(kind: string, message: Message, ask: Ask, account: Account, units: bigint): void {
  switch (kind) {
    case "cancel":
      if (!ask.answer) ask.closed ??= "cancelled_before"; // it overtook its ask
      reserve(ask, account, message.cause === "outcome_unknown" ? 0n : ask.reserved - units);
      break;
    case "advice":
      ask.closed = "advised_before";
      reserve(ask, account, units);
      break;
    case "reversal":
    case "expiry":
      reserve(ask, account, ask.reserved - units);
      break;
    case "clearing":
      account.ledger -= units;
      reserve(ask, account, message.last === true ? 0n : ask.reserved - whole(message.reserved) - whole(message.released));
      break;
    case "refund":
    case "undo":
      account.ledger += message.direction === "debit" ? -units : units;
  }
}

const { values: given } = parseArgs({
  options: {
    listen: { type: "string", default: "127.0.0.1:8584" },
    key: { type: "string" },
    "answer-key": { type: "string" },
    open: { type: "string", multiple: true, default: [] },
    log: { type: "string", default: "balance_service.log" },
  },
});
if (!given.key) throw new Error("--key FILE is needed: the keys that requests are signed with");
const readKeys = (path: string): Buffer[] =>
  readFileSync(path, "utf8").trim().split(/\s+/).map((line) => Buffer.from(line.replace("whsec_", ""), "base64"));
const keys = readKeys(given.key);
const answerKey = given["answer-key"] ? readKeys(given["answer-key"])[0] : undefined;
const sign = (key: Buffer, id: string, at: string, body: string): string =>
  `v1,${createHmac("sha256", key).update(`${id}.${at}.${body}`).digest("base64")}`;
const same = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
const books = new Books();
for (const [account, asset, units] of given.open.map((opening) => opening.split(":")))
  books.account(account!, asset!).ledger += BigInt(units!);
const kept = existsSync(given.log) ? readFileSync(given.log, "utf8") : "";
const lines = kept.slice(0, kept.lastIndexOf("\n") + 1); // what was torn was never acknowledged
if (kept !== lines) truncateSync(given.log, Buffer.byteLength(lines));
for (const line of lines.split("\n").filter(Boolean)) books.take(...(JSON.parse(line) as [string, Message]));
const log = openSync(given.log, "a");

function answer(response: ServerResponse, status: number, content: object, id?: string): void {
  const body = JSON.stringify(content, (_, value) => (typeof value === "bigint" ? `${value}` : value));
  const at = `${Math.floor(Date.now() / 1000)}`;
  const signed = id && answerKey && { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": sign(answerKey, id, at, body) };
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...(signed || {}) });
  response.end(body);
}

createServer(async (request: IncomingMessage, response: ServerResponse) => {
  const accounts = [...books.accounts].map(([key, held]) => ({ account: key.split(":")[0], asset: key.split(":")[1], ...held }));
  if (request.method === "GET") return answer(response, 200, { accounts });
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) if (body.length < 65536) body += chunk;
  const [id, at, given] = ["id", "timestamp", "signature"].map((name) => `${request.headers[`webhook-${name}`] ?? ""}`) as [string, string, string];
  const fits = given.split(" ").some((one) => keys.some((key) => same(one, sign(key, id, at, body))));
  if (!fits || !(Math.abs(Date.now() / 1000 - Number(at)) < 300)) return answer(response, 401, { error: "the signature does not fit" });
  try {
    const kind = PATHS.get(request.url ?? "");
    if (!kind) return answer(response, 404, { error: `there is no ${request.url}` });
    const message = JSON.parse(body) as Message;
    const said = books.take(kind, message);
    writeSync(log, `${JSON.stringify([kind, message])}\n`);
    fsyncSync(log);
    answer(response, 200, said, id);
  } catch (error) {
    answer(response, 422, { error: `cannot be read: ${error}` });
  }
}).listen(Number(given.listen.split(":")[1]), given.listen.split(":")[0], () => console.log(`listening on ${given.listen}`));
