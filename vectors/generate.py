"""Write the vector files beside this one: bytes that server and agent judge alike.

Run ``python vectors/generate.py`` after a change of the format; a test fails
when the files are not what this writes. The signatures are made here with the
standard library alone, not with the code under test.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
TOPIC = "devices/greenhouse-1/readings"
COMMANDS = "devices/greenhouse-1/commands"
SEP = b',"sig":"'
BIG = 2**53 - 1

Row = dict[str, Any]


def digest(body: bytes, topic: str = TOPIC, key: bytes = KEY) -> bytes:
    """Return the 64 hex digits of a seawall/1 signature."""
    message = b"seawall/1\0" + topic.encode() + b"\0" + body
    return hmac.new(key, message, hashlib.sha256).hexdigest().encode()


def sealed(body: bytes, topic: str = TOPIC, key: bytes = KEY) -> bytes:
    """Return body and signature as they go on the wire."""
    return body[:-1] + SEP + digest(body, topic, key) + b'"}'


BODY = b'{"temp":23.5,"raw":723,"boot":1,"seq":7,"ts":1763759216000}'
WIRE = sealed(BODY)
SIG = digest(BODY)

ACCEPTED_BODIES: list[tuple[str, bytes]] = [
    ("a reading", BODY),
    ("no clock", b'{"temp":23.5,"boot":1,"seq":7}'),
    ("one member", b'{"temp":23.5}'),
    ("spaces inside", b'{ "temp": 23.5,\t"boot": 1,\r\n "seq": 7 }'),
    ("UTF-8 text", '{"temp":23.5,"place":"Gewächshaus 温室","boot":1,"seq":7}'.encode()),
    ("escaped text", rb'{"temp":23.5,"place":"Gew\u00e4chshaus \"1\"","boot":1,"seq":7}'),
    ("single precision", b'{"temp":23.4999981,"boot":1,"seq":7}'),
    ("double precision", b'{"temp":23.499999999999996,"boot":1,"seq":7}'),
    ("exponent", b'{"temp":2.35e+01,"boot":1,"seq":7}'),
    ("trailing zero", b'{"temp":23.50,"boot":1,"seq":7}'),
    ("negative zero", b'{"temp":-0.0,"boot":1,"seq":7}'),
    ("largest numbers", b'{"temp":0,"boot":%d,"seq":%d}' % (BIG, BIG)),
    ("longer than a hash block", b'{"temp":1,"note":"' + b"x" * 200 + b'","boot":1,"seq":7}'),
]

REFUSED_WIRES: list[tuple[str, bytes]] = [
    ("temp changed", WIRE.replace(b"23.5", b"99.5")),
    ("temp written otherwise", WIRE.replace(b"23.5", b"23.50")),
    ("members in another order", b'{"raw":723,"temp":23.5' + WIRE[22:]),
    ("a space more", WIRE.replace(b'"raw":', b'"raw": ')),
    ("one bit of the signature", WIRE[:-3] + bytes([WIRE[-3] ^ 1]) + b'"}'),
    ("signature too short", BODY[:-1] + SEP + SIG[:-1] + b'"}'),
    ("signature too long", BODY[:-1] + SEP + SIG + b'0"}'),
    ("signature empty", BODY[:-1] + SEP + b'"}'),
    ("signature of 32 digits", BODY[:-1] + SEP + SIG[:32] + b'"}'),
    ("upper-case hex", BODY[:-1] + SEP + SIG.upper() + b'"}'),
    ("signature is not hex", BODY[:-1] + SEP + b"z" * 64 + b'"}'),
    ("signature is not ASCII", BODY[:-1] + SEP + b"\xff" * 64 + b'"}'),
    ("no signature", BODY),
    ("signature first", b'{"sig":"' + SIG + b'",' + BODY[1:]),
    ("signature in the middle", b'{"temp":23.5,"sig":"' + SIG + b'","boot":1,"seq":7}'),
    ("space before the signature", BODY[:-1] + b', "sig":"' + SIG + b'"}'),
    ("space after the colon", BODY[:-1] + b',"sig": "' + SIG + b'"}'),
    ("space before the brace", WIRE[:-1] + b" }"),
    ("newline at the end", WIRE + b"\n"),
    ("NUL at the end", WIRE + b"\0"),
    ("cut short", WIRE[:-1]),
    ("first byte missing", WIRE[1:]),
    ("name in capitals", BODY[:-1] + b',"SIG":"' + SIG + b'"}'),
    ("name escaped", BODY[:-1] + rb',"s\u0069g":"' + SIG + b'"}'),
    ("a forged second signature", WIRE[:-1] + SEP + SIG + b'"}'),
    ("signed without the domain", BODY[:-1] + SEP
     + hmac.new(KEY, BODY, hashlib.sha256).hexdigest().encode() + b'"}'),
    ("signed without the topic", BODY[:-1] + SEP + digest(BODY, "") + b'"}'),
    ("signed by another key", sealed(BODY, key=OTHER_KEY)),
    ("signed for another device", sealed(BODY, "devices/greenhouse-2/readings")),
    ("signed for another channel", sealed(BODY, COMMANDS)),
    ("empty object", sealed(b"{}")),
    ("an array", sealed(b"[1,2,3]")),
    ("empty", b""),
    ("a lone suffix", SEP + SIG + b'"}'),
]  # fmt: skip


def envelope_rows() -> list[Row]:
    """seawall/1 envelopes."""
    rows = [_row(name, KEY, TOPIC, body, sealed(body), "accept") for name, body in ACCEPTED_BODIES]
    rows.append(_row("another topic", KEY, COMMANDS, BODY, sealed(BODY, COMMANDS), "accept"))
    # RFC 2104, section 2: a key longer than a block is hashed first.
    for length in (1, 63, 64, 65, 131):
        key = b"\xaa" * length
        wire = sealed(BODY, key=key)
        rows.append(_row(f"a key of {length} bytes", key, TOPIC, BODY, wire, "accept"))
    rows += [_row(name, KEY, TOPIC, b"", wire, "refuse") for name, wire in REFUSED_WIRES]
    return rows


def _row(name: str, key: bytes, topic: str, body: bytes, wire: bytes, verdict: str) -> Row:
    return {
        "name": name,
        "key": key.hex(),
        "topic": topic,
        "body": body.hex(),
        "wire": wire.hex(),
        "verdict": verdict,
    }


GOOD_BODIES: list[tuple[str, bytes]] = [
    ("a reading", BODY),
    ("no clock", b'{"temp":23.5,"boot":1,"seq":7}'),
    ("text, truth and null beside a metric", b'{"t":1,"a":"x","b":true,"c":null,"boot":1,"seq":7}'),
    ("a colon inside text", b'{"t":1,"url":"http://x:1","boot":1,"seq":7}'),
    ("counters at zero", b'{"t":1,"boot":0,"seq":0}'),
    ("counters at their largest", b'{"t":1,"boot":%d,"seq":%d}' % (BIG, BIG)),
    ("first time", b'{"t":1,"boot":1,"seq":7,"ts":946684800000}'),
    ("spaces", b'{ "t" : 1 , "boot":1, "seq" :7 }'),
    ("escaped name", rb'{"\u0074emp":1,"boot":1,"seq":7}'),
    ("exponent", b'{"t":-1.5E-3,"boot":1,"seq":7}'),
    ("negative zero", b'{"t":-0.0,"boot":1,"seq":7}'),
    ("braces inside text", b'{"t":1,"x":"{[}]","boot":1,"seq":7}'),
    ("64 members", b"{" + b"".join(b'"m%d":1,' % i for i in range(62)) + b'"boot":1,"seq":7}'),
]

BAD_BODIES: list[tuple[str, bytes]] = [
    ("empty object", b"{}"),
    ("not an object", b"[1]"),
    ("only a number", b"23.5"),
    ("no boot", b'{"t":1,"seq":7}'),
    ("no seq", b'{"t":1,"boot":1}'),
    ("boot is a text", b'{"t":1,"boot":"1","seq":7}'),
    ("boot is a fraction", b'{"t":1,"boot":1.5,"seq":7}'),
    ("boot is written as a float", b'{"t":1,"boot":1.0,"seq":7}'),
    ("boot is true", b'{"t":1,"boot":true,"seq":7}'),
    ("seq is null", b'{"t":1,"boot":1,"seq":null}'),
    ("seq is negative", b'{"t":1,"boot":1,"seq":-1}'),
    ("seq is 2**53", b'{"t":1,"boot":1,"seq":9007199254740992}'),
    ("seq is 10**40", b'{"t":1,"boot":1,"seq":1' + b"0" * 40 + b"}"),
    ("ts is a text", b'{"t":1,"boot":1,"seq":7,"ts":"now"}'),
    ("ts is a fraction", b'{"t":1,"boot":1,"seq":7,"ts":1763759216000.5}'),
    ("ts before 2000", b'{"t":1,"boot":1,"seq":7,"ts":946684799999}'),
    ("ts in 2100", b'{"t":1,"boot":1,"seq":7,"ts":4102444800000}'),
    ("ts in seconds", b'{"t":1,"boot":1,"seq":7,"ts":1763759216}'),
    ("ts is null", b'{"t":1,"boot":1,"seq":7,"ts":null}'),
    ("a key twice", b'{"t":1,"t":2,"boot":1,"seq":7}'),
    ("a key twice, once escaped", rb'{"temp":1,"\u0074emp":2,"boot":1,"seq":7}'),
    ("a key twice, a colon in a text", b'{"t":1,"t":2,"x":"a:b","boot":1,"seq":7}'),
    ("boot twice", b'{"t":1,"boot":1,"boot":2,"seq":7}'),
    ("a second signature", b'{"t":1,"boot":1,"seq":7,"sig":"00"}'),
    ("a second signature, escaped", rb'{"t":1,"boot":1,"seq":7,"s\u0069g":"00"}'),
    ("NaN", b'{"t":NaN,"boot":1,"seq":7}'),
    ("Infinity", b'{"t":Infinity,"boot":1,"seq":7}'),
    ("minus Infinity", b'{"t":-Infinity,"boot":1,"seq":7}'),
    ("1e999", b'{"t":1e999,"boot":1,"seq":7}'),
    ("a number of 400 digits", b'{"t":1' + b"0" * 400 + b',"boot":1,"seq":7}'),
    ("a whole number that is not exact", b'{"t":9007199254740993,"boot":1,"seq":7}'),
    ("an object inside", b'{"t":1,"x":{"y":1},"boot":1,"seq":7}'),
    ("an array inside", b'{"t":1,"x":[1],"boot":1,"seq":7}'),
    ("deeply nested", b'{"t":' + b"[" * 1500 + b"]" * 1500 + b',"boot":1,"seq":7}'),
    ("invalid UTF-8", b'{"t":1,"x":"\xff\xfe","boot":1,"seq":7}'),
    ("overlong UTF-8", b'{"t":1,"x":"\xc0\xaf","boot":1,"seq":7}'),
    ("a lone surrogate", rb'{"t":1,"x":"\ud800","boot":1,"seq":7}'),
    ("a NUL", b'{"t":1,"x":"a\0b","boot":1,"seq":7}'),
    ("a NUL between", b'{"t":1,\0"boot":1,"seq":7}'),
    ("a byte order mark", b'\xef\xbb\xbf{"t":1,"boot":1,"seq":7}'),
    ("text after the end", b'{"t":1,"boot":1,"seq":7}}'),
    ("a comma too many", b'{"t":1,"boot":1,"seq":7,}'),
    ("a comment", b'{"t":1,/*x*/"boot":1,"seq":7}'),
    ("single quotes", b"{'t':1,'boot':1,'seq':7}"),
    ("a leading zero", b'{"t":01,"boot":1,"seq":7}'),
    ("a plus sign", b'{"t":+1,"boot":1,"seq":7}'),
    ("hexadecimal", b'{"t":0x10,"boot":1,"seq":7}'),
    ("no metric", b'{"boot":1,"seq":7}'),
    ("only a text", b'{"name":"x","boot":1,"seq":7}'),
    ("only true", b'{"on":true,"boot":1,"seq":7}'),
    ("a bad metric name", b'{"a b":1,"boot":1,"seq":7}'),
    ("an empty metric name", b'{"":1,"boot":1,"seq":7}'),
    ("a metric name of 33 characters", b'{"' + b"m" * 33 + b'":1,"boot":1,"seq":7}'),
    ("65 members", b"{" + b"".join(b'"m%d":1,' % i for i in range(63)) + b'"boot":1,"seq":7}'),
    ("spaces around", b' {"t":1,"boot":1,"seq":7}'),
]  # fmt: skip


def body_rows() -> list[Row]:
    """Bodies of readings whose signature is right."""
    rows = [{"name": n, "body": b.hex(), "verdict": "accept"} for n, b in GOOD_BODIES]
    rows += [{"name": n, "body": b.hex(), "verdict": "malformed"} for n, b in BAD_BODIES]
    return rows


def hmac_rows() -> list[Row]:
    """RFC 4231, section 4."""
    cases = [
        ("RFC 4231 case 1", b"\x0b" * 20, b"Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        ("RFC 4231 case 2", b"Jefe", b"what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ("RFC 4231 case 3", b"\xaa" * 20, b"\xdd" * 50,
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        ("RFC 4231 case 4", bytes(range(1, 26)), b"\xcd" * 50,
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        ("RFC 4231 case 5", b"\x0c" * 20, b"Test With Truncation",
         "a3b6167473100ee06e0c796c2955552b"),
        ("RFC 4231 case 6", b"\xaa" * 131,
         b"Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        ("RFC 4231 case 7", b"\xaa" * 131,
         b"This is a test using a larger than block-size key and a larger than block-size data. "
         b"The key needs to be hashed before being used by the HMAC algorithm.",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ]  # fmt: skip
    return [
        {"name": name, "key": key.hex(), "data": data.hex(), "mac": mac}
        for name, key, data, mac in cases
    ]


UPDATE = b'{"cmd":"update","n":8,%b}'


def command_rows() -> list[Row]:
    """Commands, told to a device that has accepted ``last_n`` before."""
    good = [
        ("identify", b'{"cmd":"identify","n":8}'),
        ("restart", b'{"cmd":"restart","n":9}'),
        ("a number far ahead", b'{"cmd":"identify","n":%d}' % BIG),
        ("interval", b'{"cmd":"interval","n":8,"ms":2500}'),
        ("shortest interval", b'{"cmd":"interval","n":8,"ms":100}'),
        ("longest interval", b'{"cmd":"interval","n":8,"ms":86400000}'),
        ("members in another order", b'{"n":8,"ms":5000,"cmd":"interval"}'),
        ("update", UPDATE % b'"target":"unix/1.2.0.json","version":"1.2.0","trial_s":30'),
        ("longest trial", UPDATE % b'"target":"rp2/0.json","version":"0","trial_s":3600'),
        ("update-abort", b'{"cmd":"update-abort","n":8}'),
        ("stored", b'{"cmd":"stored","boot":3,"seq":41}'),
        ("stored at zero", b'{"cmd":"stored","boot":0,"seq":0}'),
    ]
    replayed = [
        ("the last number again", b'{"cmd":"identify","n":7}'),
        ("an older number", b'{"cmd":"restart","n":6}'),
        ("number zero", b'{"cmd":"restart","n":0}'),
        (
            "an old update",
            UPDATE.replace(b"8", b"7")
            % b'"target":"unix/1.2.0.json","version":"1.2.0","trial_s":30',
        ),
        ("an old update-abort", b'{"cmd":"update-abort","n":7}'),
    ]
    malformed = [
        ("unknown command", b'{"cmd":"explode","n":8}'),
        ("no command", b'{"n":8}'),
        (
            "update without a number",
            b'{"cmd":"update","target":"unix/1.2.0.json","version":"1.2.0","trial_s":30}',
        ),
        ("update without a target", UPDATE % b'"version":"1.2.0","trial_s":30'),
        ("target is a number", UPDATE % b'"target":1,"version":"1.2.0","trial_s":30'),
        ("version is a number", UPDATE % b'"target":"unix/1.json","version":1,"trial_s":30'),
        ("trial is a text", UPDATE % b'"target":"unix/1.json","version":"1","trial_s":"30"'),
        ("update-abort without a number", b'{"cmd":"update-abort"}'),
        ("command is a number", b'{"cmd":1,"n":8}'),
        ("no number", b'{"cmd":"identify"}'),
        ("number is a text", b'{"cmd":"identify","n":"8"}'),
        ("number is a fraction", b'{"cmd":"identify","n":8.5}'),
        ("number is negative", b'{"cmd":"identify","n":-8}'),
        ("number is true", b'{"cmd":"identify","n":true}'),
        ("no interval", b'{"cmd":"interval","n":8}'),
        ("interval of zero", b'{"cmd":"interval","n":8,"ms":0}'),
        ("interval too short", b'{"cmd":"interval","n":8,"ms":99}'),
        ("interval too long", b'{"cmd":"interval","n":8,"ms":86400001}'),
        ("interval is a text", b'{"cmd":"interval","n":8,"ms":"5000"}'),
        ("stored without seq", b'{"cmd":"stored","boot":3}'),
        ("stored with a text", b'{"cmd":"stored","boot":"3","seq":41}'),
        ("not JSON", b'{"cmd":"identify","n":}'),
    ]
    first = good[0][1]
    forged = [
        ("signed by another key", sealed(first, COMMANDS, OTHER_KEY)),
        ("signed for another device", sealed(first, "devices/greenhouse-2/commands")),
        ("a reading played back", sealed(BODY, TOPIC)),
        ("number changed", sealed(first, COMMANDS).replace(b'"n":8', b'"n":9')),
        ("unsigned", first),
        ("an array", sealed(b'["identify",8]', COMMANDS)),
    ]
    rows = [_command(name, sealed(body, COMMANDS), "accept", body) for name, body in good]
    rows += [_command(name, sealed(body, COMMANDS), "replay", body) for name, body in replayed]
    rows += [_command(name, sealed(body, COMMANDS), "malformed", body) for name, body in malformed]
    rows += [_command(name, wire, "bad-signature", b"") for name, wire in forged]
    return rows


def _command(name: str, wire: bytes, verdict: str, body: bytes) -> Row:
    row = _row(name, KEY, COMMANDS, body, wire, verdict)
    row["last_n"] = 7
    if verdict == "accept":
        row.update(json.loads(body))
    return row


ADCS = {
    # board: full scale in microvolts, divisor, highest count
    "nodemcu": (3_200_000, 1024, 1023),
    "esp8266": (1_000_000, 1024, 1023),
    "rp2": (3_300_000, 65_535, 65_535),
}
COUNTS = {
    "nodemcu": (0, 1, 31, 32, 33, 160, 161, 240, 241, 248, 256, 264, 400, 559, 560, 561,
                1022, 1023),
    "esp8266": (0, 1, 101, 102, 103, 512, 768, 770, 1022, 1023),
    "rp2": (0, 1, 1985, 1986, 1987, 9929, 14_894, 14_895, 16_000, 34_752, 34_753, 34_754,
            65_534, 65_535),
}  # fmt: skip
MICROVOLTS = (0, 99_999, 100_000, 100_001, 499_991, 499_999, 500_000, 500_009, 500_010, 723_456,
              750_000, 1_749_999, 1_750_000, 1_750_009, 1_750_010, 3_100_000)  # fmt: skip


def tmp36_rows() -> list[Row]:
    """TMP36: microvolts, or counts of a board's ADC, to thousandths of a degree Celsius."""
    rows = []
    for board, (full_scale, divisor, top) in ADCS.items():
        for raw in COUNTS[board]:
            microvolts = raw * full_scale // divisor
            row = _temperature(board, microvolts, rail=raw <= 0 or raw >= top)
            row.update(raw=raw, full_scale_uv=full_scale, divisor=divisor, top=top)
            rows.append(row)
    # ESP32: read_uv() gives calibrated microvolts, so there are no counts to convert.
    rows += [_temperature("esp32", microvolts, rail=False) for microvolts in MICROVOLTS]
    rows += [
        {"board": "nodemcu", "formula": "tmp36-tutorial", "raw": raw, "temperature_mc": raw * 100}
        for raw in (160, 240, 250, 400)
    ]
    return rows


def _temperature(board: str, microvolts: int, *, rail: bool) -> Row:
    mc = (microvolts - 500_000) // 10
    return {
        "board": board,
        "formula": "tmp36",
        "microvolts": microvolts,
        "temperature_mc": mc,
        "temperature_mf": mc * 9 // 5 + 32_000,
        "fault": "rail" if rail else ("" if -40_000 <= mc <= 125_000 else "range"),
    }


def plain_rows() -> list[Row]:
    """The plain profile: HMAC-SHA256 over json.dumps(body, sort_keys=True)."""
    key = b"correct horse battery staple"

    def sign(body: dict[str, Any]) -> str:
        return hmac.new(key, json.dumps(body, sort_keys=True).encode(), "sha256").hexdigest()

    body = {"device": "esp8266-1", "temp": 23.5, "ts": 1763759216000}
    sig = sign(body)
    counted = {"temp": 21, "boot": 1, "seq": 7, "on": True, "note": None, "place": "Gewächshaus"}
    tampered = {**body, "temp": 99.5}
    dumps = json.dumps
    rows = [
        ("signature last", dumps({**body, "sig": sig}), "accept"),
        ("signature first", dumps({"sig": sig, **body}), "accept"),
        ("compact, other order", dumps(
            {"ts": body["ts"], "sig": sig, "temp": 23.5, "device": "esp8266-1"},
            separators=(",", ":")), "accept"),
        ("counters and escapes", dumps({**counted, "sig": sign(counted)}), "accept"),
        ("UTF-8 unescaped", dumps({**counted, "sig": sign(counted)}, ensure_ascii=False), "accept"),
        ("spaces around", "\n " + dumps({**body, "sig": sig}) + " \n", "accept"),
        ("temp changed", dumps({**tampered, "sig": sig}), "refuse"),
        ("a member more", dumps({**body, "x": 1, "sig": sig}), "refuse"),
        ("a member less", dumps({"temp": 23.5, "ts": body["ts"], "sig": sig}), "refuse"),
        ("no signature", dumps(body), "refuse"),
        ("signature in capitals", dumps({**body, "sig": sig.upper()}), "refuse"),
        ("signature cut short", dumps({**body, "sig": sig[:-1]}), "refuse"),
        ("signature is a number", dumps({**body, "sig": 1}), "refuse"),
        ("signature is null", dumps({**body, "sig": None}), "refuse"),
        ("signature is not ASCII", dumps({**body, "sig": "ä" * 64}), "refuse"),
        ("two signatures", dumps({**body, "sig": "0" * 64})[:-1] + f', "sig": "{sig}"}}', "refuse"),
        ("a key twice", '{"temp": 1, ' + dumps({**body, "sig": sig})[1:], "refuse"),
        ("not an object", dumps([sig]), "refuse"),
        ("not JSON", dumps({**body, "sig": sig})[:-1], "refuse"),
        ("empty", "", "refuse"),
        ("NaN", '{"temp": NaN, "sig": "' + sign({"temp": float("nan")}) + '"}', "refuse"),
        ("Infinity", '{"temp": Infinity, "sig": "' + sign({"temp": float("inf")}) + '"}', "refuse"),
    ]  # fmt: skip
    return [
        {"name": name, "key": key.hex(), "text": text, "verdict": verdict}
        for name, text, verdict in rows
    ]


FILES = {
    "envelope.json": envelope_rows,
    "bodies.json": body_rows,
    "hmac.json": hmac_rows,
    "commands.json": command_rows,
    "tmp36.json": tmp36_rows,
    "plain.json": plain_rows,
}


def render(rows: list[Row]) -> str:
    """Return a file's text: a JSON array, one row a line, ASCII."""
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"


def main() -> None:
    """Write every file."""
    for name, rows in FILES.items():
        (HERE / name).write_text(render(rows()), encoding="ascii")


if __name__ == "__main__":
    main()
