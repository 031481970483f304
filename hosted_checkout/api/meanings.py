"""What each error code means, for `/docs/errors`, the page to which every problem document links.

`docs/errors.md` says the same words; a test holds the two together.
"""

from typing import Final

from gateway.kernel.errors import ErrorCode

MEANINGS: Final = {
    ErrorCode.AMOUNT_INVALID: (
        '400. Send the amount as a string of ASCII digits in major units with an optional point: `"12.30"`. No '
        "JSON number, sign, exponent, space, group separator or other digit."
    ),
    ErrorCode.AMOUNT_NOT_POSITIVE: "400. The amount must be greater than zero.",
    ErrorCode.AMOUNT_TOO_LARGE: (
        "400. The amount is larger than the gateway can book, or than what is left to capture or "
        "refund; `detail` says how much."
    ),
    ErrorCode.AMOUNT_TOO_PRECISE: (
        "400. More decimals than the currency has, even if they are zeros: USD has two, JPY none, SOL nine."
    ),
    ErrorCode.BODY_NOT_JSON: (
        "400. The body is not one JSON object in UTF-8, or the connection broke off before its end."
    ),
    ErrorCode.BODY_TOO_LARGE: "413. A body has at most 65,536 bytes.",
    ErrorCode.CONTENT_TYPE_UNSUPPORTED: "415. Send `Content-Type: application/json`.",
    ErrorCode.CURRENCY_MISMATCH: "400. Money goes back in the currency in which it came; `detail` names it.",
    ErrorCode.CURRENCY_UNKNOWN: (
        "400. Use an upper-case ISO 4217 code or the code of a coin. `/openapi.json` lists those that this "
        "gateway knows."
    ),
    ErrorCode.CURSOR_INVALID: (
        "400. A cursor (`starting_after`, `ending_before`, `after`) is the id of an object of that list; send "
        "only one of them."
    ),
    ErrorCode.PARAMETER_INVALID: (
        "400. The field has a wrong type, form or size; `detail` says which is right. With status 409: the object"
        " is not in a state for this, for example a disabled endpoint that is asked to send a test."
    ),
    ErrorCode.PARAMETER_MISSING: "400. The field is required.",
    ErrorCode.PARAMETER_UNKNOWN: (
        "400. There is no such field. A misspelled optional field would otherwise be lost without a word."
    ),
    ErrorCode.URL_INVALID: (
        "400. The URL is not absolute, not http or https (in live mode: not https), too long, or carries a user "
        "name, a backslash or characters outside ASCII."
    ),
    ErrorCode.URL_ORIGIN_REFUSED: (
        "400. Shoppers are sent to the account's own origins only. Add the origin of `success_url` or "
        "`cancel_url` to the account; in test mode loopback addresses are good as well."
    ),
    ErrorCode.ENDPOINT_URL_REFUSED: (
        "400. Webhooks go to public https servers on port 443, 80 or 8443 only. In test mode the operator may "
        "allow other hosts."
    ),
    ErrorCode.WALLET_ADDRESS_INVALID: (
        "400. This is not an address of that network, or money of another account arrives there."
    ),
    ErrorCode.WALLET_PAYLOAD_REFUSED: "400. What the wallet signed is not the chain transfer that was asked for.",
    ErrorCode.NOTHING_HELD: ("409. Only a payment that is `authorized` holds money that can be captured or released."),
    ErrorCode.NOTHING_TO_REFUND: (
        "409. Nothing was received, or all of it has gone back, is on its way back, or is contested by a dispute."
    ),
    ErrorCode.NOTIFICATION_REFUSED: (
        "400. A provider's notification whose signature, age, form or mode is wrong. Nothing of it was believed or "
        "kept."
    ),
    ErrorCode.API_KEY_MISSING: "401. Send `Authorization: Bearer sk_test_…` or `sk_live_…`.",
    ErrorCode.API_KEY_INVALID: (
        "401. The key is malformed, unknown, revoked or has ended. All read the same to a stranger."
    ),
    ErrorCode.API_KEY_LIMIT_REACHED: "409. An account has at most 100 keys in each mode. Revoke one first.",
    ErrorCode.API_KEY_NEEDED: (
        "409. You would lock yourself out: it is the key that asks, or the last one that does not end by itself. Send "
        "`force: true` if you mean it; `streampay-server keys create` always makes a new one."
    ),
    ErrorCode.API_KEY_NOT_ACTIVE: (
        "409. Only an active key is rolled: this one has ended, or was rolled already. With status 403: the key that "
        "asks is ending, and manages no keys any more; use its successor."
    ),
    ErrorCode.API_VERSION_UNKNOWN: (
        "400. The header `StreamPay-Version` names a version that this gateway does not speak."
    ),
    ErrorCode.RATE_LIMITED: (
        "429. Too many requests with this key (or, without a good key, from this address). `RateLimit` tells what"
        " is left, `Retry-After` when to come back."
    ),
    ErrorCode.IDEMPOTENCY_KEY_INVALID: "400. A key has 1 to 255 printable ASCII characters.",
    ErrorCode.IDEMPOTENCY_MISMATCH: (
        "422. The key was used before with another body or for another object. Use a new key for a new request."
    ),
    ErrorCode.IDEMPOTENCY_IN_FLIGHT: "409. The same request is being worked on. Send it again after `Retry-After`.",
    ErrorCode.NOT_FOUND: (
        "404. There is no such route, or no such object in this account and mode. What belongs to somebody else "
        "looks the same."
    ),
    ErrorCode.METHOD_NOT_ALLOWED: "405. The header `Allow` names the methods of this path.",
    ErrorCode.DESTINATION_REQUIRED: (
        "400. Money that came over a chain goes back to the wallet that paid. Here that is unknown, or no single key "
        "signs for it (an exchange, a program): ask the customer for a wallet and send it as `destination`."
    ),
    ErrorCode.REFUND_NOT_SENDABLE: (
        "409. Only a refund of a chain payment that is in `requires_action` waits for a signed transfer."
    ),
    ErrorCode.REFUND_NOT_CANCELABLE: "409. Only a refund in `requires_action` can be called off.",
    ErrorCode.CUSTOMER_IN_USE: (
        "409. The customer has a subscription that has not ended. Cancel it, then delete the customer."
    ),
    ErrorCode.PLAN_ARCHIVED: "409. Nobody can subscribe to this plan any more. Offer another one.",
    ErrorCode.SUBSCRIPTION_ENDED: "409. The subscription has ended. Open a new session to begin another one.",
    ErrorCode.CHARITY_ARCHIVED: "409. Nothing new is collected for this charity. Name another one.",
    ErrorCode.CAMPAIGN_CLOSED: "409. The campaign was closed, or has ended: it takes no gifts.",
    ErrorCode.AMOUNT_OUT_OF_BOUNDS: "400. The campaign takes gifts of another size; `detail` says from where to where.",
    ErrorCode.GIFT_NOT_OFFERED: (
        "400. The gift is none of those that the checkout offers for this amount now. "
        "`GET /v1/donation_configs/active` lists them."
    ),
    ErrorCode.GIFT_NOT_CHANGEABLE: "409. Paying has begun, or this session takes no gift: it stays as it is.",
    ErrorCode.FORM_EXPIRED: (
        "400. The donation form is too old, or was not made by this gateway. Load its page again; nothing was given."
    ),
    ErrorCode.GIVING_PAUSED: (
        "429. Too many gifts were tried from here in a short time. Nothing was given. Come back after `Retry-After`."
    ),
    ErrorCode.COMMENT_PRIVATE: "409. The donor wrote this to the charity, not to the wall: nobody else may see it.",
    ErrorCode.PAYOUT_EXCEEDS_OWED: (
        "409. More than the charity is owed in that currency; `detail` says how much that is. Gifts that went to the "
        "charity at once are not owed to it any more."
    ),
    ErrorCode.SESSION_NOT_OPEN: "409. The session is complete, expired, or has seen money already.",
    ErrorCode.PAYMENT_NOT_PAYABLE: (
        "The payment takes no money any more (409), or was never asked for in that currency (400)."
    ),
    ErrorCode.TRANSFER_ALREADY_MATCHED: (
        "409. The chain transfer belongs to another payment, or went out instead of in."
    ),
    ErrorCode.ENDPOINT_DISABLED: "409. Nothing is sent to a disabled endpoint. Set its `status` to `enabled` first.",
    ErrorCode.ENDPOINT_LIMIT_REACHED: "409. An account has at most 16 endpoints in each mode. Delete one first.",
    ErrorCode.TEST_CLOCK_OFF: (
        "404. There is no test clock here. It is for test keys of a gateway that runs with `STREAMPAY_TEST_CLOCK=yes`, "
        "beside which no real money can be taken."
    ),
    ErrorCode.TEST_CLOCK_LIMIT_REACHED: (
        "409. A test clock goes 400 days ahead at the most, in 1,000 steps. Begin with an empty database."
    ),
    ErrorCode.METHOD_UNAVAILABLE: (
        "400. The account, or this session, does not offer that method. `GET /v1/methods` says why."
    ),
    ErrorCode.RATE_UNAVAILABLE: (
        "503, retryable. There are not two fresh sources that agree on this price, so none is quoted."
    ),
    ErrorCode.PROVIDER_DECLINED: "402. The provider refused for good, for example because the balance is too small.",
    ErrorCode.PROVIDER_UNAVAILABLE: (
        "503, retryable. A provider, chain node or the database does not answer. Nothing happened."
    ),
    ErrorCode.OUTCOME_UNKNOWN: (
        "503. The command may have taken effect. Do not send it again; the gateway asks the provider what became of "
        "it. 409 where an earlier transfer of the same payment may still be on its way: wait a minute, then ask again."
    ),
    ErrorCode.INTERNAL: "500, retryable. Our fault. The log has the request's id.",
}
