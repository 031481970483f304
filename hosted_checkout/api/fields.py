"""Field types of the wire: what each looks like, what it accepts, and what is said when it is wrong.

Whatever is accepted here can be stored and shown: no control characters, no lone surrogates, no overlong text.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.domain.merchants import is_origin
from gateway.engine.merchants import Principal
from gateway.kernel.cards import has_card_number
from gateway.kernel.currencies import all_currencies, parse_currency
from gateway.kernel.errors import CallerError, ErrorCode
from gateway.kernel.ids import is_id
from gateway.kernel.money import parse_money

LOCALES: Final = ("en", "de", "ar")
MAX_URL: Final = 2048
MAX_WEBSITE: Final = 300
MAX_METADATA: Final = 50
MAX_METADATA_KEY: Final = 40
MAX_METADATA_VALUE: Final = 500
AMOUNT_PATTERN: Final = r"^[0-9]{1,66}(\.[0-9]{1,66})?$"
INSTANT_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
_AMOUNT: Final = re.compile(r"-?[0-9]{1,66}(\.[0-9]{1,66})?", re.ASCII)
# One strict form that every parser and browser reads the same way: no userinfo, no backslash, no control character.
URL_PATTERN: Final = (
    r"^[hH][tT][tT][pP][sS]?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?"
    r"(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?(#[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
)
_URL: Final = re.compile(URL_PATTERN.removesuffix("$") + r"\Z", re.ASCII)
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z", re.ASCII)
_LOOPBACK: Final = re.compile(r"localhost|([a-z0-9-]+\.)+localhost|127(\.[0-9]{1,3}){3}|::1", re.ASCII)
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def refuse(code: ErrorCode, detail: str, *, at: str = "") -> PydanticCustomError:
    """Return the error that becomes a problem with this code; `at` is a pointer below the field that is checked."""
    context = {"detail": detail, "at": at}
    return PydanticCustomError(code.value, "{detail}", context)


def invalid(detail: str, *, at: str = "") -> PydanticCustomError:
    """Return a plain `parameter_invalid`."""
    return refuse(ErrorCode.PARAMETER_INVALID, detail, at=at)


def given(info: ValidationInfo) -> dict[str, Any]:
    """Return what the layer gives every validator: `principal` and `rooms`."""
    assert info.context is not None, "the layer validates with a context"
    context: dict[str, Any] = info.context
    return context


def kernel_says(check: Callable[[], object]) -> None:
    """Run a check of the kernel, and pass its word on as the field's error."""
    try:
        check()
    except CallerError as error:
        raise refuse(error.code, error.message) from None


def no_card(text: str) -> str:
    """Refuse a text that holds what reads as a card number: whoever stores one answers for it (PCI DSS)."""
    if has_card_number(text):
        raise invalid(
            "This holds what reads as a card number, and such are never stored here. Cards are typed on the payment "
            "page alone; a number of your own that looks like one needs another form."
        )
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        raise invalid("Send printable characters only.")
    return no_card(text)


def _storable(text: str) -> str:
    if any((character < " " and character not in "\t\n\r") or character == "\x7f" for character in text):
        raise invalid("Send text without control characters.")
    return text


def _currency(code: str) -> str:
    kernel_says(lambda: parse_currency(code))
    return code


def _email(text: str) -> str:
    if not text.isprintable() or not _EMAIL.fullmatch(text):
        raise invalid("Send an address such as ada@example.com.")
    return no_card(text)


def _locale(text: str) -> str:
    return text.partition("-")[0]


def _digits(value: object) -> object:
    """Let a query parameter be a whole number in plain digits; pydantic alone would also take " 7", "7.0" and "7_0"."""
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
            raise invalid("Send a whole number in digits.")
        return int(value)
    return value


def _truth(value: object) -> object:
    """Let a query parameter be `true` or `false`."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _prose(text: str) -> str:
    """Refuse what could be shown as something else than it is; lines may break, and letters may be joined."""
    plain = text.replace("\u200c", "").replace("\u200d", "")
    if not all(line.isprintable() for line in plain.split("\n")):
        raise invalid("Send plain text; lines may break, and there are no other control characters.")
    return no_card(text)


def _instant(value: object) -> object:
    """Read an instant in UTC, as every answer carries it; milliseconds may be left out."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise invalid("Send a time in UTC, such as 2026-11-20T09:21:00Z.")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise invalid("There is no such time.") from None


def _origins(sent: Sequence[str], info: ValidationInfo) -> Sequence[str]:
    livemode = given(info)["principal"].owner.livemode
    for index, origin in enumerate(sent):
        if not is_origin(origin):
            raise invalid("Send origins such as https://charity.example, without a path.", at=f"/{index}")
        if livemode and not origin.startswith("https:"):
            raise invalid("In live mode, https sites alone may frame the form.", at=f"/{index}")
    return sent


def _website(url: str) -> str:
    if len(url) > MAX_WEBSITE or not _URL.fullmatch(url) or _origin(url)[0] is None:
        raise refuse(ErrorCode.URL_INVALID, "Send an absolute http or https URL of at most 300 ASCII characters.")
    return no_card(url)


def _is_charity(text: str) -> str:
    return _is_id(text, "cha")


def _is_campaign(text: str) -> str:
    return _is_id(text, "cmp")


def _is_pledge(text: str) -> str:
    return _is_id(text, "plg")


def _is_payment(text: str) -> str:
    return _is_id(text, "pay")


def _is_event(text: str) -> str:
    return _is_id(text, "evt")


def _is_customer(text: str) -> str:
    return _is_id(text, "cus")


def _is_plan(text: str) -> str:
    return _is_id(text, "plan")


def _is_id(text: str, prefix: str) -> str:
    if not is_id(text, prefix):
        raise invalid(f"Send an id that begins with {prefix}_, as the API gave it.")
    return text


def id_schema(prefix: str) -> dict[str, str]:
    """Return the schema of an id with a prefix."""
    return {"type": "string", "pattern": f"^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"}


def check_amount(amount: str, info: ValidationInfo) -> str:
    """Check an amount against the currency beside it, which the model must name first; alone, only its form."""
    code = info.data.get("currency")
    if code is not None:
        kernel_says(lambda: parse_money(amount, code))
    elif not _AMOUNT.fullmatch(amount):
        raise refuse(ErrorCode.AMOUNT_INVALID, 'Send the amount as a string of digits in major units, such as "12.30".')
    return amount


def _return_url(url: str, info: ValidationInfo) -> str:
    principal: Principal = given(info)["principal"]
    if len(url) > MAX_URL or not _URL.fullmatch(url):
        raise refuse(
            ErrorCode.URL_INVALID,
            "Send an absolute http or https URL of at most 2,048 ASCII characters, without user name or password.",
        )
    no_card(url)
    origin, host = _origin(url)
    if origin is None:
        raise refuse(ErrorCode.URL_INVALID, "The host or port of this URL is malformed.")
    livemode = principal.owner.livemode
    if livemode and not origin.startswith("https:"):
        raise refuse(ErrorCode.URL_INVALID, "In live mode, shoppers are sent to https URLs only.")
    if not livemode and _LOOPBACK.fullmatch(host):
        return url
    if origin not in {_origin(each)[0] for each in principal.merchant.settings.origins}:
        raise refuse(
            ErrorCode.URL_ORIGIN_REFUSED,
            "The account does not list this URL's origin. Add it to the account's origins, or use one of them.",
        )
    return url


def _origin(url: str) -> tuple[str | None, str]:
    """Return `scheme://host:port` in one spelling, and the host; None when either is malformed."""
    try:
        parts = urlsplit(url)
        host, scheme = parts.hostname or "", parts.scheme.lower()
        port = parts.port or _DEFAULT_PORTS[scheme]
    except (ValueError, KeyError):
        return None, ""
    is_name = re.fullmatch(r"[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9])?\.?", host) is not None and ".." not in host
    return (f"{scheme}://{host.rstrip('.')}:{port}" if is_name or ":" in host else None), host.rstrip(".")


def _metadata(sent: Mapping[str, str]) -> Mapping[str, str]:
    if len(sent) > MAX_METADATA:
        raise invalid("Send at most 50 keys.")
    for key, value in sent.items():
        if not 1 <= len(key) <= MAX_METADATA_KEY or not key.isprintable():
            raise invalid("Send keys of 1 to 40 printable characters.")
        if len(value) > MAX_METADATA_VALUE:
            raise invalid("Send values of at most 500 characters.")
        _storable(value)
        no_card(key)
        no_card(value)
    return sent


def _methods(sent: Sequence[str], info: ValidationInfo) -> list[str]:
    rooms, principal = given(info)["rooms"], given(info)["principal"]
    known = {method.id for method in rooms.engine.core.methods(livemode=principal.owner.livemode)}
    for index, method_id in enumerate(sent):
        if method_id not in known:
            raise invalid("There is no such method in this mode. See GET /v1/methods.", at=f"/{index}")
    return list(dict.fromkeys(sent))


def currency_schema() -> dict[str, Any]:
    """Return the schema of a currency code; a function, because the operator may add tokens at the start."""
    return {"type": "string", "enum": [row.code for row in all_currencies()]}


_AMOUNT_SCHEMA: Final = {
    "type": "string",
    "pattern": AMOUNT_PATTERN,
    "description": "Major units as digits with an optional point, never a number; no more decimals than the currency.",
    "examples": ["12.30"],
}

Amount = Annotated[str, AfterValidator(check_amount), WithJsonSchema(_AMOUNT_SCHEMA)]
CurrencyCode = Annotated[
    str,
    AfterValidator(_currency),
    WithJsonSchema({"type": "string", "description": "ISO 4217 or a coin: `USD`, `SOL`.", "examples": ["USD"]}),
]
Reference = Annotated[str, Field(min_length=1, max_length=120, examples=["order-1001"]), AfterValidator(_printable)]
Line = Annotated[str, Field(min_length=1, max_length=200, examples=["T-shirt"]), AfterValidator(_printable)]
Description = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
ReturnUrl = Annotated[
    str,
    AfterValidator(_return_url),
    WithJsonSchema(
        {
            "type": "string",
            "format": "uri",
            "pattern": URL_PATTERN,
            "maxLength": MAX_URL,
            "examples": ["https://shop.example/thanks"],
        }
    ),
]
Email = Annotated[
    str,
    Field(max_length=254, examples=["ada@example.com"]),
    AfterValidator(_email),
]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["DE"])]
Locale = Annotated[
    str,
    Field(pattern=rf"^({'|'.join(LOCALES)})(-[A-Za-z0-9]{{1,8}}){{0,4}}$", examples=["de"]),
    AfterValidator(_locale),
]
Metadata = Annotated[
    dict[str, str],
    AfterValidator(_metadata),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MAX_METADATA,
            "propertyNames": {"type": "string", "minLength": 1, "maxLength": MAX_METADATA_KEY},
            "additionalProperties": {"type": "string", "maxLength": MAX_METADATA_VALUE},
            "examples": [{"cart": "c-77"}],
        }
    ),
]
MethodIds = Annotated[
    list[Annotated[str, Field(max_length=40)]], Field(min_length=1, max_length=20), AfterValidator(_methods)
]
PageLimit = Annotated[int, Field(ge=1, le=100), BeforeValidator(_digits)]
PaymentRef = Annotated[str, AfterValidator(_is_payment), WithJsonSchema(id_schema("pay"))]
SourceRef = Annotated[
    str,
    Field(pattern=r"^(ch|xfer)_[0-7][0-9a-hjkmnp-tv-z]{25}$", examples=["xfer_01jd4k00000000000000000000"]),
]
Wallet = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,90}$"), AfterValidator(no_card)]
CustomerRef = Annotated[str, AfterValidator(_is_customer), WithJsonSchema(id_schema("cus"))]
PlanRef = Annotated[str, AfterValidator(_is_plan), WithJsonSchema(id_schema("plan"))]
CharityRef = Annotated[str, AfterValidator(_is_charity), WithJsonSchema(id_schema("cha"))]
CampaignRef = Annotated[str, AfterValidator(_is_campaign), WithJsonSchema(id_schema("cmp"))]
PledgeRef = Annotated[str, AfterValidator(_is_pledge), WithJsonSchema(id_schema("plg"))]
EventRef = Annotated[str, AfterValidator(_is_event), WithJsonSchema(id_schema("evt"))]
# Form, scheme, port and host are the outbox's to judge, when the endpoint is stored.
EndpointUrl = Annotated[
    str,
    Field(max_length=MAX_URL, examples=["https://shop.example/webhooks"], json_schema_extra={"format": "uri"}),
    AfterValidator(no_card),
]
Flag = Annotated[bool, BeforeValidator(_truth)]
Prose = Annotated[str, AfterValidator(_prose)]
Moment = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": f"^{_MOMENT.pattern}$",
            "examples": ["2026-12-31T23:00:00Z"],
            "description": "RFC 3339, UTC.",
        }
    ),
]
Origins = Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=20), AfterValidator(_origins)]
Website = Annotated[
    str,
    AfterValidator(_website),
    WithJsonSchema(
        {
            "type": "string",
            "format": "uri",
            "pattern": URL_PATTERN,
            "maxLength": MAX_WEBSITE,
            "examples": ["https://charity.example"],
        }
    ),
]
