"""What every answer tells the browser: run nothing but our own files, stand in nobody's frame, keep nothing."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders

from etl.api.problems import is_of_api
from etl.config.page import PageSettings

# No inline script or style anywhere; `data:` for the small pictures that the build puts into its CSS.
_OF_PAGE = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
_OF_API = {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}
_UNUSED = ("accelerometer", "camera", "geolocation", "gyroscope", "magnetometer", "microphone", "payment", "usb")
_YEAR_SECONDS = 365 * 24 * 3600

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _UNUSED),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def add_headers(headers: MutableHeaders, path: str, page: PageSettings) -> None:
    is_api = is_of_api(path)
    headers.update(_ALWAYS)
    headers["Content-Security-Policy"] = _policy(_OF_API if is_api else _OF_PAGE)
    if page.is_secure:
        headers["Strict-Transport-Security"] = f"max-age={_YEAR_SECONDS}"
    if is_api:
        headers.setdefault("Cache-Control", "no-store")


def _policy(directives: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in directives.items())
