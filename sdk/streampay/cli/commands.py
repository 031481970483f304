"""The commands and their words."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from streampay import ApiError, ConfigurationError, StreamPayError
from streampay.cli import context
from streampay.cli.context import OK, PROBLEM, USAGE, connect, err, out, say
from streampay.cli.doctor import doctor, verify
from streampay.testing import event
from streampay.testing._events import SampleEvent

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def run(argv: Sequence[str]) -> int:
    """Parse and run one command."""
    try:
        args = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said what is wrong
        return int(stop.code or 0)
    try:
        status: int = args.run(args)
    except KeyboardInterrupt:
        say("\n[dim]stopped[/]")
        return OK
    except BrokenPipeError:  # `streampay events list | head`
        return OK
    except ConfigurationError as error:
        return _failed(error, USAGE)
    except StreamPayError as error:
        return _failed(error, PROBLEM)
    return status


def _failed(error: StreamPayError, status: int) -> int:
    err.print(f"[red]streampay:[/] {escape(str(error))}")
    return status


def listen(args: Namespace) -> int:
    """Forward what happens from now on to a URL of this machine."""
    client, secret, types = connect(args), context.secret_of(args), context.chosen_types(args)
    after = context.newest(client)
    say(f"Forwarding to [bold]{escape(args.forward_to)}[/]. Verify with this secret, it stays the same:\n")
    say(f"    STREAMPAY_WEBHOOK_SECRET={secret}\n")
    for events in context.follow(client, types, args.poll, after):
        for one in events:
            body = context.exact(client, one.id)
            for pause_s in (*context.RETRY_PAUSES_S, None):
                answer = context.forward(args.forward_to, body, secret, one.id)
                say(f"{context.told(one)} -> {answer}")
                if answer.is_taken or pause_s is None:
                    break
                time.sleep(pause_s)
    return OK


def trigger(args: Namespace) -> int:
    """Send a signed sample."""
    made = _sample(args.event, args.override)
    secret = context.secret_of(args)
    if args.forward_to is None:
        context.show_json({"headers": made.headers(secret), "body": made.body.decode()})
        return OK
    answer = context.forward(args.forward_to, made.body, secret, made.event.id)
    if args.json:
        context.show_json({"event": made.event.id, "status": answer.status, "took_ms": answer.took_ms})
    else:
        say(f"{context.told(made.event)} -> {answer}")
    return OK if answer.is_taken else PROBLEM


def _sample(kind: str, overrides: Sequence[str]) -> SampleEvent:
    """Return a sample with `a.b=c` set in its object; text stays text, other fields are read as JSON."""
    shown = event(kind).event.data.object.to_dict()
    over: dict[str, Any] = {}
    for each in overrides:
        path, is_given, value = each.partition("=")
        first, *rest = path.split(".")
        if not is_given or first not in shown:
            raise ConfigurationError(f"{each!r} is no field=value of {kind}", code="override_invalid")
        over.setdefault(first, shown[first])
        over[first] = _set(over[first], rest, value, each)
    return event(kind, **over)


def _set(old: Any, path: Sequence[str], value: str, told: str) -> Any:
    if not path:
        return value if old is None or isinstance(old, str) else _parsed(value, told)
    if isinstance(old, list) and path[0].isdigit() and int(path[0]) < len(old):
        place = int(path[0])
        return [*old[:place], _set(old[place], path[1:], value, told), *old[place + 1 :]]
    if isinstance(old, dict):
        return {**old, path[0]: _set(old.get(path[0]), path[1:], value, told)}
    raise ConfigurationError(f"{told!r} leads nowhere", code="override_invalid")


def _parsed(value: str, told: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        raise ConfigurationError(f"{told!r} is no JSON value", code="override_invalid") from None


def list_events(args: Namespace) -> int:
    """List events, newest first."""
    page = connect(args).events.list(types=context.chosen_types(args), limit=args.limit).page
    for one in page:
        context.show_json(one.to_dict()) if args.json else say(context.told(one))
    if not page and not args.json:
        say("[dim]nothing has happened yet[/]")
    return OK


def resend(args: Namespace) -> int:
    """Send an event again, to one endpoint or to all that are enabled."""
    client = connect(args)
    listed = (
        [args.endpoint]
        if args.endpoint
        else [one.id for one in client.webhook_endpoints.list() if one.status == "enabled"]
    )
    for endpoint in listed:
        client.webhook_endpoints.resend(endpoint, event=args.id)
        say(f"{args.id} is on its way to {endpoint}")
    if not listed:
        err.print("[red]no endpoint is enabled[/]: add one, or use `streampay listen`")
    return OK if listed else PROBLEM


def tail(args: Namespace) -> int:
    """Follow events and deliveries."""
    client, types = connect(args), context.chosen_types(args)
    after = context.newest(client)
    last = {one.id: _newest_delivery(client, one.id) for one in client.webhook_endpoints.list()}
    (err if args.json else out).print(f"Following {client.base_url}; Ctrl-C ends it.")
    for events in context.follow(client, types, args.poll, after):
        for one in events:
            context.show_json(one.to_dict()) if args.json else say(context.told(one))
        for endpoint, seen in last.items():
            query = {"ending_before": seen} if seen else {}
            for each in client.webhook_endpoints.deliveries.list(endpoint, limit=100, **query).page[::-1]:
                last[endpoint] = each.id
                color = "green" if each.outcome == "succeeded" else "red"
                line = f"[{color}]{each.status_code or each.error}[/] in {each.latency_ms} ms, try {each.attempt}"
                head = f"[dim]{each.created_at:%H:%M:%S}[/] delivery {each.event_type} to {endpoint}"
                context.show_json(each.to_dict()) if args.json else say(f"{head} -> {line}")
    return OK


def _newest_delivery(client: Any, endpoint: str) -> str | None:
    return next((one.id for one in client.webhook_endpoints.deliveries.list(endpoint, limit=1).page), None)


def advance(args: Namespace) -> int:
    """Move the clock of test mode."""
    client = connect(args)
    if client.livemode:
        raise ConfigurationError("time can be moved in test mode only: use a key sk_test_…", code="livemode")
    try:
        answer = client.request("POST", "/v1/test/clock/advance", json={"seconds": args.duration})
    except ApiError as error:
        if error.code not in {"test_clock_off", "not_found"}:
            raise
        err.print("[red]this server has no test clock[/]: its operator starts it with STREAMPAY_TEST_CLOCK=yes")
        return PROBLEM
    context.show_json(answer.json) if args.json else say(f"the clock went on by {args.duration} s")
    return OK


def check(args: Namespace) -> int:
    """Look for what keeps payments or webhooks from working."""
    with err.status("looking, and sending a test event to each endpoint"):  # shown on a screen only
        findings = list(doctor(args))
    if args.json:
        context.show_json([each.to_dict() for each in findings])
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        for each in findings:
            mark = "[green]ok[/]" if each.is_well else "[red]fails[/]"
            table.add_row(
                mark, each.name, escape(each.detail) + (f"\n[yellow]{escape(each.hint)}[/]" if each.hint else "")
            )
        out.print(table)
    return OK if all(each.is_well for each in findings) else PROBLEM


def check_signature(args: Namespace) -> int:
    """Say whether a webhook on standard input is good, and why not."""
    finding = verify(sys.stdin.buffer.read(), args.header, context.secret_of(args))
    if args.json:
        context.show_json(finding.to_dict())
    else:
        say(f"[{'green' if finding.is_well else 'red'}]{escape(finding.detail)}[/]")
        say(escape(finding.hint))
    return OK if finding.is_well else PROBLEM


def _duration(text: str) -> int:
    matched = re.fullmatch(r"([1-9][0-9]{0,8})([smhd]?)", text, re.ASCII)
    if matched is None:
        raise argparse.ArgumentTypeError("write 90s, 30m, 2h or 1d")
    return int(matched[1]) * _UNITS[matched[2]]


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="streampay",
        description="Work with your StreamPay gateway. Settings: STREAMPAY_API_KEY, _BASE_URL and _WEBHOOK_SECRET.",
        epilog="Exit status: 0 ok, 1 a problem was found, 2 the command was not understood.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = _adder(commands)
    forward = ("--forward-to", {"metavar": "URL", "required": True, "help": "your webhook on this machine"})
    types = ("--events", {"metavar": "TYPES", "help": "only these, with commas between"})
    poll = ("--poll", {"type": float, "default": 1.0, "metavar": "SECONDS", "help": "how often to ask (1)"})
    secret = ("--secret", {"metavar": "WHSEC", "help": "default: STREAMPAY_WEBHOOK_SECRET, else one made from the key"})
    data = ("--json", {"action": "store_true", "help": "for programs"})
    add(
        "listen",
        listen,
        "streampay listen --forward-to http://localhost:5000/webhooks/streampay",
        forward,
        types,
        poll,
        secret,
    )
    sample = ("event", {"metavar": "EVENT", "help": "such as payment.succeeded"})
    override = ("--override", {"action": "append", "default": [], "metavar": "A.B=C", "help": "a field of its object"})
    there = ("--forward-to", {"metavar": "URL", "help": "your webhook; without it the request is printed"})
    example = "streampay trigger payment.succeeded --forward-to http://localhost:5000/hook --override reference=order-7"
    add("trigger", trigger, example, sample, there, override, secret, data)
    events = _adder(_group(commands, "events", "what happened"))
    limit = ("--limit", {"type": int, "default": 20, "metavar": "N", "help": "how many (20)"})
    events("list", list_events, "streampay events list --events payment.succeeded", types, limit, data)
    which = ("id", {"metavar": "ID", "help": "evt_…"})
    endpoint = ("--endpoint", {"metavar": "WE", "help": "only to this endpoint, we_…"})
    events("resend", resend, "streampay events resend evt_01…", which, endpoint)
    webhooks = _adder(_group(commands, "webhooks", "signatures"))
    header = ("--header", {"action": "append", "default": [], "metavar": "'NAME: VALUE'", "help": "of the request"})
    example = "streampay webhooks verify --secret whsec_… --header 'webhook-id: evt_…' … < body.json\n  … < request.txt"
    webhooks("verify", check_signature, example, secret, header, data)
    logs = _adder(_group(commands, "logs", "what happens"))
    logs("tail", tail, "streampay logs tail --events payment.succeeded,payment.failed", types, poll, data)
    add("doctor", check, "streampay doctor", data)
    clock = _adder(_group(commands, "clock", "time in test mode"))
    clock("advance", advance, "streampay clock advance 30m", ("duration", {"type": _duration, "metavar": "30m"}), data)
    return parser


def _group(commands: Any, name: str, about: str) -> Any:
    return commands.add_parser(name, help=about).add_subparsers(required=True, metavar="COMMAND")


def _adder(commands: Any) -> Callable[..., None]:
    def add(name: str, verb: Callable[[Namespace], int], example: str, *arguments: tuple[str, dict[str, Any]]) -> None:
        about = (verb.__doc__ or "").split("\n")[0]
        form = argparse.RawDescriptionHelpFormatter
        parser = commands.add_parser(
            name, help=about, description=about, epilog=f"example:\n  {example}", formatter_class=form
        )
        parser.add_argument("--api-key", metavar="KEY", help="default: STREAMPAY_API_KEY")
        parser.add_argument("--base-url", metavar="URL", help="default: STREAMPAY_BASE_URL")
        for flag, options in arguments:
            parser.add_argument(flag, **options)
        parser.set_defaults(run=verb)

    return add
