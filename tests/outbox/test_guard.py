"""No URL and no name leads a webhook into a private network."""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.outbox.guard import (
    DestinationRefusedError,
    OutboundPolicy,
    check_destination,
    check_url,
    is_public,
    resolve,
    split_url,
)
from gateway.outbox.http import DeliveryError, GuardedHttp
from tests.outbox.receivers import Receiver, Tls, receiving

OPEN = OutboundPolicy()
PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104 - it is refused, not bound
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2002:c0a8:101::",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "2001:0:7f00:1:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "ff0e::1",
    "100::1",
    "5f00::1",
    "3fff::1",
]
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "93.184.216.34",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::",
]


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_that_is_or_hides_a_private_one_is_refused(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_passes(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_a_name_that_resolves_to_a_private_address_is_refused_even_among_public_ones(text: str) -> None:
    destination = split_url("https://shop.example/hook")
    for answers in ([text], ["8.8.8.8", text], [text, "2606:4700:4700::1111"]):
        with pytest.raises(DestinationRefusedError):
            resolve(destination, OPEN, resolver_of(*answers))


def resolver_of(*addresses: str) -> Any:
    def resolver(_host: str, port: int, **_: object) -> Sequence[tuple[Any, ...]]:
        families = [socket.AF_INET6 if ":" in each else socket.AF_INET for each in addresses]
        return [(family, 1, 6, "", (each, port)) for family, each in zip(families, addresses, strict=True)]

    return resolver


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example/hook",
        "//shop.example/hook",
        "ftp://shop.example/",
        "HTTPS://shop.example/",
        "https://",
        "https:///hook",
        "https://user@shop.example/",
        "https://user:password@shop.example/",
        "https://shop.example/#fragment",
        "https://shop.example\\@127.0.0.1/",
        "https://shop.example/a b",
        "https://shop.example/\r\nX-Evil: 1",
        "https://shop.example/\0",
        "https://shop.example:port/",
        "https://shop.example:443:443/",
        "https://shop..example/",
        "https://.example/",
        "https://-/",
        "https://shöp.example/",
        "https://shop.example/ü",
        "https://%31%32%37.0.0.1/",
        "https://[::1/",
        "https://shop.example/" + "a" * 2048,
        "https://shop.example/\n",
        "https://①②⑦.⓪.⓪.①/",
    ],
)
def test_a_url_that_parsers_could_read_differently_is_malformed(url: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_url(url, livemode=False, policy=OPEN)
    assert caught.value.code is ErrorCode.URL_INVALID
    assert caught.value.param == "/url"
    assert not url or url not in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hook",
        "https://shop.example:8080/",
        "https://shop.example:22/",
        "https://shop.example:0/",
        "https://shop.example:99999/",
        "https://localhost/",
        "https://localhost./",
        "https://LOCALHOST/",
        "https://api.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://017700000001/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[::]/",
    ],
)
@pytest.mark.parametrize("livemode", [False, True])
def test_a_url_that_leads_inside_is_refused_when_it_is_stored(url: str, livemode: bool) -> None:  # noqa: FBT001 - it is a column of a table
    with pytest.raises(InvalidRequestError) as caught:
        check_url(url, livemode=livemode, policy=OPEN)
    assert caught.value.code is ErrorCode.ENDPOINT_URL_REFUSED


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example/hook?shop=1&x=%20",
        "https://shop.example:8443/",
        "https://xn--shp-una.example/",
        "https://8.8.8.8/hook",
        "https://[2606:4700:4700::1111]:443/",
    ],
)
@pytest.mark.parametrize("livemode", [False, True])
def test_an_ordinary_url_passes_in_both_modes(url: str, livemode: bool) -> None:  # noqa: FBT001 - it is a column of a table
    check_url(url, livemode=livemode, policy=OPEN)


def test_an_allow_listed_host_may_use_plain_http_in_test_mode_only() -> None:
    policy = OutboundPolicy(allowed=frozenset({"127.0.0.1:8081"}))
    check_url("http://127.0.0.1:8081/hook", livemode=False, policy=policy)
    for url, livemode in (
        ("http://127.0.0.1:8081/hook", True),
        ("http://127.0.0.1:8082/hook", False),
        ("http://localhost:8081/hook", False),
    ):
        with pytest.raises(InvalidRequestError):
            check_url(url, livemode=livemode, policy=policy)


def test_the_host_header_names_the_port_only_when_it_is_not_the_schemes_own() -> None:
    assert split_url("https://Shop.example/a?b=1").authority == "shop.example"
    assert split_url("https://shop.example:8443/").authority == "shop.example:8443"
    assert split_url("https://[2606:4700:4700::1111]/").authority == "[2606:4700:4700::1111]"
    assert split_url("https://shop.example/a?b=1").target == "/a?b=1"


# --- through a real connection -----------------------------------------------------------------------------------


def test_a_name_is_resolved_once_and_exactly_that_address_is_reached(receiver: Receiver) -> None:
    asked = []

    def rebinding(host: str, port: int, **_: object) -> Sequence[tuple[Any, ...]]:
        asked.append(host)
        found: Sequence[tuple[Any, ...]] = resolver_of("8.8.8.8" if len(asked) == 1 else "127.0.0.1")(host, port)
        return found

    http = GuardedHttp(OPEN, resolver=rebinding, deadline_s=0.5)
    destination = split_url("https://shop.example/")
    addresses = resolve(destination, http.policy, http.resolver)
    assert [sockaddr[0] for _, sockaddr in addresses] == ["8.8.8.8"]
    with pytest.raises(DeliveryError, match="not on the public internet"):
        http.post("https://shop.example/", b"{}", {}, livemode=True)
    assert len(asked) == 2
    assert receiver.received == []


def test_the_environment_names_no_proxy(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    http = GuardedHttp(OutboundPolicy(allowed=frozenset({receiver.authority})))
    assert http.post(receiver.url("/hook"), b"{}", {}, livemode=False).status == 204
    http.close()


def test_a_url_stored_under_another_policy_is_checked_again_when_it_is_used(receiver: Receiver) -> None:
    with pytest.raises(DeliveryError):
        GuardedHttp(OPEN).post(receiver.url("/hook"), b"{}", {}, livemode=False)
    assert receiver.received == []


@pytest.mark.parametrize(
    ("host", "trusted", "reason"),
    [
        ("localhost", True, None),
        ("127.0.0.1", True, "certificate was refused"),
        ("localhost", False, "certificate was refused"),
    ],
)
def test_tls_checks_the_authority_and_the_name(tls: Tls, host: str, trusted: bool, reason: str | None) -> None:  # noqa: FBT001 - it is a column of a table
    with receiving(tls.server) as receiver:
        policy = OutboundPolicy(allowed=frozenset({f"{host}:{receiver.port}"}))
        http = GuardedHttp(policy, tls=tls.client if trusted else None)
        url = f"https://{host}:{receiver.port}/hook"
        if reason is None:
            assert http.post(url, b"{}", {}, livemode=True).status == 204
        else:
            with pytest.raises(DeliveryError, match=reason):
                http.post(url, b"{}", {}, livemode=True)
            assert receiver.received == []
        http.close()


def test_a_port_that_nobody_serves_is_named_as_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        authority = f"127.0.0.1:{unused.getsockname()[1]}"
        http = GuardedHttp(OutboundPolicy(allowed=frozenset({authority})))
        with pytest.raises(DeliveryError, match="connection was refused"):
            http.post(f"http://{authority}/", b"{}", {}, livemode=False)


def test_a_destination_is_checked_by_its_own_rules_even_when_allow_listed_elsewhere() -> None:
    with pytest.raises(DestinationRefusedError):
        check_destination(split_url("http://shop.example/"), livemode=False, policy=OPEN)
