"""What a client is configured with: refused at once when it cannot work, and never shown."""

from typing import Any

import pytest

from streampay import StreamPay, errors
from streampay._api import RawResponse
from streampay._http import HttpRequest
from streampay.models import ResponseMeta
from tests.sdk.scripted_gateway import TEST_KEY

LIVE_KEY = "sk_live_4eC39HqLyjWDarjtT1zdp7d9f3"


def test_the_environment_is_read_when_a_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMPAY_API_KEY", raising=False)
    monkeypatch.setenv("STREAMPAY_BASE_URL", "https://pay.shop.example/")
    with pytest.raises(errors.ConfigurationError, match="STREAMPAY_API_KEY"):
        StreamPay()
    monkeypatch.setenv("STREAMPAY_API_KEY", LIVE_KEY)
    client = StreamPay()
    assert client.base_url == "https://pay.shop.example"
    assert client.livemode
    assert not client.with_options(api_key=TEST_KEY).livemode
    monkeypatch.delenv("STREAMPAY_BASE_URL")
    with pytest.raises(errors.ConfigurationError, match="STREAMPAY_BASE_URL"):
        StreamPay()


def test_a_client_shows_little_of_its_key() -> None:
    client = StreamPay(TEST_KEY, base_url="https://pay.shop.example")
    assert repr(client) == "StreamPay(sk_test_…9f3, base_url='https://pay.shop.example')"
    assert TEST_KEY not in repr(client._api.options)
    assert TEST_KEY not in repr(HttpRequest(method="GET", url="x", headers={"Authorization": TEST_KEY}))
    answer = RawResponse(json={"secret": "whsec_1"}, response=ResponseMeta(status=200), headers={})
    assert "whsec_1" not in repr(answer)


def test_a_client_that_was_refused_can_be_shown_in_a_report_of_the_error() -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        StreamPay(TEST_KEY, base_url="nowhere")
    frames = [each.frame for each in caught.traceback if "self" in each.frame.f_locals]
    assert [repr(frame.f_locals["self"]) for frame in frames] == ["StreamPay(not configured)"]


@pytest.mark.parametrize(
    "key", ["", "pk_test_abcdefgh", "sk_prod_abcdefgh", "sk_test_a b", "sk_test_abcdefgh\r\nX: y", 7, b"x"]
)
def test_a_malformed_key_is_refused_and_not_repeated(key: Any) -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        StreamPay(key, base_url="https://pay.shop.example")
    assert "abcdefgh" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pay.shop.example",
        "ftp://pay.shop.example",
        "https://",
        "https:///x",
        "https://u:p@pay.shop.example",
        "https://pay.shop.example/v1",
        "https://pay.shop.example/v1/",
        "https://pay.shop.example?x=1",
        "https://pay.shop.example#x",
        "https://pay.shop.example:99999",
        "https://[::1",
        "https://pay shop.example",
        "https://pay.shop.example\n",
        "https://päy.example",
        7,
    ],
)
def test_a_base_url_that_cannot_work_is_refused_at_once(url: Any) -> None:
    """btcpay-doc #1391: nobody knew which address is meant."""
    with pytest.raises(errors.ConfigurationError):
        StreamPay(TEST_KEY, base_url=url)


@pytest.mark.parametrize(
    ("url", "is_fine"),
    [
        ("http://pay.shop.example", False),
        ("http://8.8.8.8", False),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://10.0.0.7", True),
        ("http://gateway:8080", True),
        ("https://pay.shop.example", True),
    ],
)
def test_a_live_key_does_not_cross_the_internet_without_tls(url: str, *, is_fine: bool) -> None:
    StreamPay(TEST_KEY, base_url=url)
    if is_fine:
        StreamPay(LIVE_KEY, base_url=url)
        return
    with pytest.raises(errors.ConfigurationError, match="TLS"):
        StreamPay(LIVE_KEY, base_url=url)
    with pytest.raises(errors.ConfigurationError, match="TLS"):
        StreamPay(TEST_KEY, base_url=url).with_options(api_key=LIVE_KEY)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout_s": None},
        {"timeout_s": 0},
        {"timeout_s": -1},
        {"timeout_s": float("inf")},
        {"timeout_s": (3,)},
        {"timeout_s": (3, None)},
        {"timeout_s": True},
        {"timeout_s": "3"},
        {"max_retries": -1},
        {"max_retries": 11},
        {"max_retries": True},
        {"api_version": "v1"},
        {"app_info": "a\r\nb"},
    ],
)
def test_options_have_limits(options: dict[str, Any]) -> None:
    with pytest.raises(errors.ConfigurationError):
        StreamPay(TEST_KEY, base_url="https://pay.shop.example", **options)
