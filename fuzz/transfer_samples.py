"""What the fuzzer of the importer begins with: samples of each language, and its words."""

from __future__ import annotations

import bson
from bson import Binary, Code, DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex
from bson.timestamp import Timestamp

OID = b'{"$oid":"5f000000000000000000abcd"}'
NUMBERS = (
    *(b"0", b"-0", b"007", b"+1", b"1.5", b".5", b"1.", b"1e5", b"1E-400", b"1e309", b"-1e400"),
    *(b"2147483648", b"-2147483649", b"9223372036854775808", b"1_000", b"0x1p-2", b"0x_1p0"),
    *(b"inf", b"-Infinity", b"nan", b"NaN", b"0x10", b"0x1p99999", b"\xd9\xa3", b"1e", b"--1"),
)
CSV_WORDS = (
    *(b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"\t", b" ", b"\0", b"\xff", b"\xc2\xa0", b"\\."),
    *(b"\xef\xbb\xbf", b'\n"', b'",', b'"\n', b"\n\n", b",,", b"2020-02-29", b"true", b"FALSE"),
    *NUMBERS,
)
CSV_SAMPLES = (
    b"a,b\n1,x\n2,y\n3,z\n",
    b'"a ""q"" b",2\n" padded ",x\n"two\nlines",1\n',
    b"1,2,3,4\nshort\n,\n\n 7 , 8 \n",
    b"\xc3\xa9,\xc2\xa0x\r\n1e5,-0.0\r\n",
    b'1,2\n"never closed,2\n3,4\n',
    b'1,x"y\n"a"b,2\n',
    b"2020-01-02,true\n2020-02-29,0\n",
    b"0a0b,17\n00ff,-17\n",
    b"1,2020-01-02T03:04:05Z,x,true,2.5\n2,2020-01-02T03:04:05Z,,false,-1e5\n",
    b"2020-01-02,00ff,AAE=\n2021-02-28,,\n",
    b'"1","2"\n"3","x, y"\n',
    b"1\t\t-0.0\n-7\tx y\tnan\n",
    b"1.5\t2\n\t\n\n \tx\r\n",
    b"a;b|c\n'1';\"2\"\n",
)
JSON_WORDS = (
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b" ", b"\n", b"\\u0000", b"\\ud800"),
    *(b'"$', b"\\u0024", b"null", b"true", b"false", b'"_id":', b'"a":', b'{"a":1}', b"\xff"),
    *(b'"$oid":', b'"$date":', b'"$numberLong":"5"', b'"$numberDouble":"NaN"', b"\0", b"\x1f"),
    *(b'"$binary":', b'"$type":"00"', b'"$scope":', b'"$code":"x"', b'"$minKey":1', b"'", b"/"),
    *(b'"2020-01-02T03:04:05.678Z"', b"Date(", b")", b"new ", b"undefined", b"ISODate("),
    *NUMBERS,
)
JSON_SAMPLES = (
    b'{"a":1}\n{"a":2}\n{"a":3}\n',
    b'{"n": 1, "t": "a", "o": ' + OID + b', "d": {"$date": "2020-01-02T03:04:05Z"}}\n'
    b'{"n": 2.5, "t": "b", "o": ' + OID + b', "d": {"$date": "2021-01-02T03:04:05Z"}}\n',
    b'{"n":1,"t":"a, b","b":true,"z":null,"x":{"y":-2.5e3,"w":""}}\n',
    b'{"_id":1,"l":{"$numberLong":"-5"},"d":{"$date":"2020-01-02T03:04:05.678Z"}}\n',
    b'{"a":-0,"b":[],"c":{"$gt":1}}\n{"a":0.5,"b":[1],"c":{}}\n',
    b'{"a":{"b":[1,{"c":null}],"d":"\\u00e9\\n"},"_id":' + OID + b"}",
    b'[{"a":1},{"a":[]}, {"a":{}}]',
    b'[\n{"a":1},\n{"a":2}\n]\n',
    b'{"b":{"$binary":{"base64":"AAE=","subType":"02"}},"c":{"$binary":"AAE=","$type":"0"}}',
    b'{"d":{"$date":{"$numberLong":"-5"}},"e":{"$date":7},"t":{"$timestamp":{"t":1,"i":2}}}',
    b'{"x":{"$numberDecimal":"1.50"},"y":{"$numberInt":"5"},"z":{"$numberDouble":"1E5"}}',
    b'{"r":{"$regularExpression":{"pattern":"a","options":"zi"}},"s":{"$symbol":"s"}}',
    b'{"c":{"$code":"x","$scope":{"a":' + OID + b'}},"u":{"$undefined":true},"m":{"$minKey":1}}',
    b'{"p":{"$dbPointer":{"$ref":"n","$id":' + OID + b'}},"k":{"$maxKey":1}}',
    b'{"u":{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"},"a":1,"a":2,"":{"$gt":1}}',
    b'{"a":"\xff\xc3"}{"a":18446744073709551616}{"a":1e400}',
)
LEGACY_SAMPLES = (
    *JSON_SAMPLES,
    b"{a:1, 'b':\"x\", _c: .5, d: +0x1F, e: NaN, f: -Infinity}",
    b'{d: ISODate("2020-01-02T03:04:05.678Z"), e: new Date(5), f: Date("2020-01-02T03:04Z")}',
    b'{n: NumberLong("5"), i: NumberInt(7), o: ObjectId("5f000000000000000000abcd")}',
    b'{t: Timestamp(1, 2), b: BinData(0, "AAE="), c: Boolean(1), r: /a\\/b/gi}',
    b'{r: RegExp("p", "o"), m: MinKey, k: MaxKey, p: DBPointer("n", ObjectId("'
    + b"5f" * 12
    + b'"))}',
    b'{r: {"$regex":"a","$options":"i"}, b: {"$binary":"AAE=","$type":"00"}, u: undefined}',
    b'{l: {"$numberLong":"0x1F"}, o: {"$numberInt":"017"}, x: {"$code":"f","$scope":{a:1}}}',
    b'{w: "majority", j: true, wtimeout: 500}',
)
HEADER_WORDS = (
    *(
        b".",
        b",",
        b"(",
        b")",
        b"\\",
        b"\\(",
        b"\n",
        b"\r\n",
        b"$",
        b"0",
        b"1",
        b"a",
        b"a.b",
        b"a.0",
    ),
    *(b".int32()", b".string()", b".auto()", b".double()", b".date(2006-01-02)", b".decimal()"),
    *(b".binary(hex)", b".binary(base32)", b".binary(x)", b".date_ms(yyyy-MM-dd)", b".boolean()"),
    *(
        b".date_oracle(YYYY-MM-DD)",
        b".date_go(Jan 2, 2006)",
        b".int8()",
        b".int64(1)",
        b"\0",
        b"\xff",
    ),
)
HEADER_SAMPLES = (
    b"a,b,c.d,c.e",
    b"a.0,a.1,a.2.b,c",
    b"a.int32(),b.string(),c.d.date(2006-01-02 15:04:05)",
    b"d.date(January 2\\, 2006),f(x).int64(),.double()",
    b"_id,x.0.y,x.0.z,x.1",
    b"one\ntwo\r\nthree.four\n",
    b"b.binary(base64),b2.binary(hex),n.decimal(),t.boolean(),z.auto()",
)
LAYOUT_WORDS = (
    *(b"2006", b"06", b"01", b"1", b"Jan", b"January", b"02", b"2", b"_2", b"002", b"__2", b"Mon"),
    *(b"Monday", b"15", b"03", b"3", b"04", b"4", b"05", b"5", b"PM", b"pm", b".000", b".999"),
    *(b",000", b"Z07:00", b"-0700", b"-07", b"MST", b"|", b"-", b":", b" ", b"T", b"GMT+3", b"EST"),
    *(b"yyyy", b"MM", b"dd", b"HH", b"mm", b"ss", b"tt", b"zzz", b"YYYY", b"MI", b"SS", b"HH24"),
    *(b"2020-02-29", b"thursday", b"12", b"59", b"60", b"99", b"+01:00", b"\xff", b"0000", b"9999"),
)
LAYOUT_SAMPLES = (
    b"2006-01-02|2020-02-29|2021-02-29|0000-01-01",
    b"2006-01-02 15:04:05|2020-01-02 03:04:05|2020-01-02 03:04:05.678|9999-12-31 23:59:59",
    b"2006-01-02T15:04:05Z07:00|2020-01-02T03:04:05Z|2020-01-02T03:04:05+01:00",
    b"2006-01-02T15:04:05.000Z07:00|2020-01-02T03:04:05.678Z|1969-12-31T23:59:59.999Z",
    b"Mon Jan _2 15:04:05 MST 2006|Thu Feb  4 21:00:57 PST 2010|Thu Feb  4 21:00:57 GMT+3 2010",
    b"January 2, 2006 03:04 PM|March 9, 2020 12:30 AM",
    b"002 2006 .999|366 2020 .5|__2 06",
    b"yyyy-MM-dd HH:mm:ss|2020-01-02 03:04:05",
    b"DD-MON-YYYY HH24:MI:SS|02-JAN-2020 03:04:05",
)
URI_WORDS = (
    *(b"mongodb://", b"mongodb+srv://", b"localhost", b":", b"27017", b"@", b"/", b"?", b"&", b"="),
    *(b"%2F", b"%", b"%zz", b",", b"ssl=true", b"tls=false", b"w=majority", b"w=-1", b"w=\xc2\xb2"),
    *(
        b"wtimeoutMS=x",
        b"j=true",
        b"replicaSet=a",
        b"[::1]",
        b"admin",
        b"user:pw@",
        b"authSource=x",
    ),
)
URI_SAMPLES = (
    b"mongodb://localhost",
    b"mongodb://user:p%40ss@a:1,b:2,c/db?replicaSet=rs&w=2&journal=true&wtimeoutMS=500",
    b"mongodb+srv://cluster.example/db?ssl=true&foo=bar;tls=false",
    b"mongodb://%2Ftmp%2Fmongodb.sock/?authMechanism=MONGODB-X509&tlsCAFile=/a",
    b"mongodb://[::1]:27017/?w=majority&compressors=zlib",
)
QUERY_SAMPLES = (
    *LEGACY_SAMPLES,
    b'{"n":{"$gt":1}}',
    b"{n: -1, m: 1.0}",
    b'{mode: "nearest", tagSets: [{a: "b"}], maxStalenessSeconds: 120}',
    b"nearest",
    b"{w: 3, wtimeout: 500, j: true}",
    b"majority",
    b"-1",
    b"a,b.c,d.$",
)
READINGS_WORDS = (
    *(
        b"=",
        b":",
        b"|",
        b"temp",
        b"degF",
        b"degC",
        b"%",
        b"%Y",
        b"%d",
        b"%z",
        b"%H",
        b"%Q",
        b"unix",
    ),
    *(b"yyyy", b"2006", b"06", b"Europe/Berlin", b"+02:00", b"UTC", b"MST", b"ymd", b"12/31/2026"),
    *(b"1.5.2026", b"2026-05-01T13:30:00Z", b"46143.5", b"1777642200", b"1 May 2026", b"AM", b"\0"),
    *(b"1e-999", b"0000-01-01", b"9999-12-31 23:59", b"1,5", b"n/a", b"../x", b"\xff", *NUMBERS),
)
READINGS_SAMPLES = (
    b"temp|72.5|73",
    b"temp=attic:degF|72.5|n/a",
    b"temp:degF|-460|1e5",
    b"%d.%m.%Y %H:%M|31.12.2026 13:30|01.01.2026 00:00",
    b"yyyy-MM-dd HH:mm|2026-05-01 13:30",
    b"2006/01/02 15:04|2026/05/01 13:30|0000/01/01 00:00",
    b"ymd|2026-05-01 13:30:00|2026-5-1T1:02:03.4Z",
    b"Europe/Berlin|2026-03-29 02:30:00|2026-10-25 02:30:00",
    b"+02:00|1777642200000|46143.5625|31 Dec 2026 1:30 PM",
)
TABLE_WORDS = (
    *CSV_WORDS,
    *(b"date", b"temp", b"2026-05-01 13:30:00", b"72.5", b"1e-5000", b"{", b"}", b'"temp":', b":"),
    *(b'{"$date":"2026-05-01T00:00:00Z"}', b'{"$numberDecimal":"1"}', b'{"$numberLong":"9"}'),
)
TABLE_SAMPLES = (
    b"date,temp,device\n2026-05-01 13:30:00,72.5,attic\n2026-05-01 13:31:00,73,attic\n",
    b"time,temp (\xc2\xb0F),raw\n31.12.2026 13:30,72.5,1\n31.12.2026 13:31,,2\n",
    b"ts,t\n1777642200,1\n1777642260,2\n1777642320,nan\n",
    b'{"date":"2026-05-01","temp":7.5}\n{"date":"2026-05-02","temp":8,"x":{"y":1}}\n',
    b'{"at":{"$date":"2026-05-01T00:00:00Z"},"time":"2026-05-01","temp":{"$numberLong":"9"}}\n',
    b"date\ttemp\n2026-05-01\t7\n2026-05-02\t8\n",
)
LINE_WORDS = (
    *(
        b"\n",
        b"--",
        b"-",
        b"=",
        b"-c",
        b"-d",
        b"--file",
        b"--type",
        b"csv",
        b"--headerline",
        b"-vvv",
    ),
    *(b"-j", b"3", b"--mode", b"upsert", b"--drop", b"--verbose=2", b"--delimiter", b"tab", b"-f"),
    *(
        b"--uri",
        b"mongodb://h/",
        b"--skip-bad-rows",
        b"--batchSize",
        b"-q",
        b"{}",
        b"--limit",
        b"\xff",
    ),
)
LINE_SAMPLES = (
    b"-d\nblog\n-c\nposts\n--file\nposts.json",
    b"--type=csv\n--headerline\n-vvj2\n--drop\n--mode\nmerge\nx.csv",
    b"mongodb://h/\n--quiet\n-f\na,b\n--numInsertionWorkers=4\n--delimiter=;",
    b"-q\n{}\n--sort\n{a:1}\n--limit\n-5\n--skip=3\n--jsonFormat\ncanonical",
    b"--as-readings\n--device\nattic\n--metric\ntemp:degF\n--dry-run",
)
BSON_SAMPLES = tuple(
    bson.encode(each)
    for each in (
        {"a": 1, "b": Int64(2**40), "c": 1.5, "d": True, "e": None, "f": "x\u2028", "g": [1, {}]},
        {"a": {"b": [{"c": ObjectId(b"a" * 12)}], "d": DatetimeMS(5)}, "e": Binary(b"\0\1", 2)},
        {"a": Regex("a/b", "i"), "b": Code("f()", {"n": 1}), "c": Timestamp(1, 2), "d": Code("x")},
        {"a": Decimal128("1.50"), "b": MinKey(), "c": MaxKey(), "d": DatetimeMS(2**60), "": ""},
    )
)
BSON_WORDS = (
    *(
        b"\0",
        b"\x01",
        b"\x02",
        b"\x03",
        b"\x04",
        b"\x05",
        b"\x0b",
        b"\x0c",
        b"\x0f",
        b"\x13",
        b"\xff",
    ),
    *(b"\x7f", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x05\0\0\0\0", b"a\0", b"\0\0\0\x80"),
)
