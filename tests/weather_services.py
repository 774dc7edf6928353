"""The four weather services on localhost, with weather that is a formula, and all their bad days.

A real HTTP server in a thread. ``mishaps`` are played for the next requests, one each; after them
every answer is right. What a service answers is written down here anew, and not by the code that
is tested.
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from conftest import ROOT, require

SAMPLES = ROOT / "tests" / "samples" / "weather"

#: What a working answer is made into, or what is done to the connection.
Mishap = Callable[["Handler", bytes], None]

UNITS = {
    "temperature_2m": "°C",
    "relative_humidity_2m": "%",
    "snowfall": "cm",
    "dew_point_2m": "°C",
    "surface_pressure": "hPa",
}

CANAZEI = {
    "id": 3181089,
    "name": "Canazei",
    "latitude": 46.47673,
    "longitude": 11.7706,
    "elevation": 1450.0,
    "feature_code": "PPLA3",
    "country_code": "IT",
    "timezone": "Europe/Rome",
    "country": "Italy",
    "admin1": "Trentino-Alto Adige",
}
#: A name that two places have.
TWINS = [
    {**CANAZEI, "name": "Moscow", "country": "Russia", "country_code": "RU", "admin1": "Moscow"},
    {**CANAZEI, "name": "Moscow", "country": "United States", "admin1": "Idaho", "latitude": 46.7},
]


def hours_of(first: date, last: date) -> list[datetime]:
    """Every hour of the days, both included."""
    start = datetime(first.year, first.month, first.day)
    return [start + timedelta(hours=n) for n in range(24 * ((last - first).days + 1))]


@cache
def weather(hour: datetime) -> dict[str, float]:
    """The weather of an hour, wherever: whole degrees and percents, a tenth of millimetres."""
    n = int((hour - datetime(1970, 1, 1)).total_seconds()) // 3600
    temperature = n * 7 % 25 - 15
    water = 0.1 * (n % 13) if n % 3 == 0 else 0.0
    return {
        "temperature_2m": float(temperature),
        "relative_humidity_2m": 50.0 + n % 50,
        "snowfall": round(0.7 * water if temperature < 0 else 0.0, 2),
        "dew_point_2m": temperature - 3.0,
        "surface_pressure": 850.0 + n % 20,
        "precipitation": round(water, 1),
    }


def open_meteo(params: dict[str, str]) -> dict[str, Any]:
    """The archive's answer."""
    first, last = (date.fromisoformat(params[name]) for name in ("start_date", "end_date"))
    hours = hours_of(first, last)
    names = params["hourly"].split(",")
    return {
        "latitude": round(float(params["latitude"]), 2),
        "longitude": round(float(params["longitude"]), 2),
        "generationtime_ms": 0.2,
        "utc_offset_seconds": 0,
        "timezone": "GMT",
        "timezone_abbreviation": "GMT",
        "elevation": 1465.0,
        "hourly_units": {"time": "iso8601", **{name: UNITS[name] for name in names}},
        "hourly": {
            "time": [hour.strftime("%Y-%m-%dT%H:%M") for hour in hours],
            **{name: [weather(hour)[name] for hour in hours] for name in names},
        },
    }


def world_weather_online(params: dict[str, str], offset: int = 1) -> dict[str, Any]:
    """The past weather's answer, for a place ``offset`` hours before UTC; snow is 326, rain 296."""
    first, last = (date.fromisoformat(params[name]) for name in ("date", "enddate"))
    if (first.year, first.month) != (last.year, last.month):
        return {"data": {"error": [{"msg": "enddate must lie in the month of date"}]}}
    days = []
    for n in range((last - first).days + 1):
        day = first + timedelta(days=n)
        hourly = []
        for local in hours_of(day, day):
            utc = local - timedelta(hours=offset)
            now = weather(utc)
            entry = {
                "time": str(100 * local.hour),
                "tempC": f"{now['temperature_2m']:.0f}",
                "humidity": f"{now['relative_humidity_2m']:.0f}",
                "precipMM": f"{now['precipitation']:.1f}",
                "weatherCode": "326" if now["temperature_2m"] < 0 else "296",
                "DewPointC": f"{now['dew_point_2m']:.0f}",
            }
            if "utcDateTime" in params.get("extra", ""):
                entry["UTCdate"] = utc.strftime("%Y-%m-%d")
                entry["UTCtime"] = str(100 * utc.hour)
            hourly.append(entry)
        days.append({"date": str(day), "totalSnow_cm": "4.6", "hourly": hourly})
    request = [{"type": "LatLon", "query": f"Lat 46.48 and Lon 11.77 ({params['q']})"}]
    return {"data": {"request": request, "weather": days}}


@cache
def meteostat(year: int) -> bytes:
    """A year of a station, as gzip CSV: snow is 15, rain 8, else 3."""
    names = ("temp", "rhum", "prcp", "snwd", "wdir", "wspd", "pres", "coco")
    lines = ["year,month,day,hour," + ",".join(f"{name},{name}_source" for name in names)]
    for hour in hours_of(date(year, 1, 1), date(year, 12, 31)):
        now = weather(hour)
        code = (15 if now["temperature_2m"] < 0 else 8) if now["precipitation"] else 3
        values = [now["temperature_2m"], now["relative_humidity_2m"], now["precipitation"], "", 200]
        cells = [f"{value},isd_lite" for value in [*values, 7.6, 1012.3, code]]
        lines.append(f"{hour.year},{hour.month},{hour.day},{hour.hour}," + ",".join(cells))
    return gzip.compress(("\n".join(lines) + "\n").encode(), 1)


@dataclass
class Services:
    """What the server is asked, and what it is to do wrong.

    Attributes:
        asked: of every request, its path, parameters and headers.
        mishaps: for the next requests, one each; ``None`` for none.
        always: for every request after those.
        missing_years: that the station does not have.
        allowed: let a request through; cleared, the server waits, and answers nothing.
    """

    url: str = ""
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    mishaps: list[Mishap | None] = field(default_factory=list)
    always: Mishap | None = None
    missing_years: set[int] = field(default_factory=set)
    wwo: Callable[[dict[str, str]], dict[str, Any]] = world_weather_online
    meteo: Callable[[dict[str, str]], dict[str, Any]] = open_meteo
    ready: threading.Event = field(default_factory=threading.Event)

    def paths(self) -> list[str]:
        return [path for path, _, _ in self.asked]

    def body(self, path: str, params: dict[str, str]) -> bytes | None:
        """The right answer; ``None`` for HTTP 404."""
        if path == "/v1/archive":
            return json.dumps(self.meteo(params), ensure_ascii=False).encode()
        if path == "/v1/search":
            known = {"canazei": [CANAZEI], "moscow": TWINS}.get(params["name"].lower(), [])
            return json.dumps({"results": known} if known else {"generationtime_ms": 1}).encode()
        if path == "/premium/v1/past-weather.ashx":
            return json.dumps(self.wwo(params)).encode()
        if path.startswith("/hourly/"):
            _, _, year, station = path.split("/")
            if station == "16033.csv.gz" and int(year) not in self.missing_years:
                return meteostat(int(year))
        return None


class Handler(BaseHTTPRequestHandler):
    """Answers GET."""

    protocol_version = "HTTP/1.1"
    services: Services

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        params = dict(parse_qsl(parts.query, keep_blank_values=True))
        services = self.services
        services.asked.append((parts.path, params, dict(self.headers)))
        services.ready.wait(30)
        mishap = services.mishaps.pop(0) if services.mishaps else services.always
        body = services.body(parts.path, params)
        with suppress(ConnectionError):  # who asked may have hung up
            if mishap:
                mishap(self, body or b"")
            elif body is None:
                self.reply(b"not found", 404, "text/html")
            else:
                self.reply(body)

    def reply(
        self, body: bytes, status: int = 200, kind: str = "application/json", **headers: str
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self, *, rudely: bool = False) -> None:
        if rudely:  # a reset instead of an end
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


# --- bad days ------------------------------------------------------------------------------------


def status(code: int, reason: str | None = None, **headers: str) -> Mishap:
    """An error as Open-Meteo words it."""
    body = json.dumps({"error": True, "reason": reason} if reason else {}).encode()
    return lambda handler, _: handler.reply(body, code, **headers)


def instead(body: bytes | str, code: int = 200, **headers: str) -> Mishap:
    """Another body."""
    data = body.encode() if isinstance(body, str) else body
    return lambda handler, _: handler.reply(data, code, **headers)


def changed(change: Callable[[bytes], bytes], **headers: str) -> Mishap:
    """The right body, and something done to it."""
    return lambda handler, body: handler.reply(change(body), **headers)


def values_changed(change: Callable[[dict[str, Any]], Any]) -> Mishap:
    """The right JSON, changed in place."""

    def act(handler: Handler, body: bytes) -> None:
        values = json.loads(body)
        change(values)
        handler.reply(json.dumps(values, ensure_ascii=False).encode())

    return act


def silence(handler: Handler, _: bytes) -> None:
    """No answer at all, until the other side gives up."""
    with suppress(OSError):
        handler.connection.recv(1)
    handler.close_connection = True


def hang_up(handler: Handler, _: bytes) -> None:
    """A reset instead of an answer."""
    handler.hang_up(rudely=True)


def cut_short(handler: Handler, body: bytes) -> None:
    """Half of what was announced, then the end."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def cut_chunks(handler: Handler, body: bytes) -> None:
    """Half a chunk of a chunked answer, then the end."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(f"{len(body):x}\r\n".encode() + body[: len(body) // 2])
    handler.close_connection = True


def trickle(handler: Handler, body: bytes) -> None:
    """A byte at a time, each in time, the whole never."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for byte in body:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        threading.Event().wait(0.02)


def in_chunks(handler: Handler, body: bytes) -> None:
    """The right answer without a length, as servers stream it."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for start in range(0, len(body), 1000):
        piece = body[start : start + 1000]
        handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")


# --- the server ----------------------------------------------------------------------------------


@contextmanager
def running(certificate: tuple[Path, Path] | None = None) -> Iterator[Services]:
    """The services, on a port of their own; with TLS if there is a certificate."""
    services = Services()
    services.ready.set()
    handler = type("TheHandler", (Handler,), {"services": services})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    services.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield services
    finally:
        services.ready.set()
        server.shutdown()
        thread.join()
        server.server_close()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate that nobody trusts, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [require("openssl"), *"req -x509 -newkey rsa:2048 -nodes -days 2".split()]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


#: What the tests set for the fetching code: everything on localhost, and little patience.
KEY = "s3cr3t/k+y&1=%zz"


def environment(services: Services, folder: Path) -> dict[str, str]:
    """Variables that send every request to ``services``, with a cache of its own."""
    urls = ("OPEN_METEO", "GEOCODING", "WORLDWEATHERONLINE", "METEOSTAT")
    return {
        **{f"SCRATCHML_{name}_URL": services.url for name in urls},
        "SCRATCHML_CACHE_DIR": str(folder),
        "SCRATCHML_RETRY_SECONDS": "0.01",
        "WORLDWEATHERONLINE_KEY": KEY,
        "NO_PROXY": "127.0.0.1",
        "COLUMNS": "100",
    }
