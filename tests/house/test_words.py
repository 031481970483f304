"""Names use the glossary, unfinished work does not land, and exceptions to the rules carry their reason."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.sources import MONEY_ROOMS, comments, python_in, text, tracked, tree

BANNED = {"transaction", "transactions"}
# Names that others chose; ours say chain transfer, journal entry, or tx for the database.
FOREIGN_NAMES = {
    "VersionedTransaction": "solders' class",
    "Transaction": "solders' class for legacy messages",
    "in_transaction": "SQLAlchemy's Connection attribute",
    "transaction_per_migration": "Alembic's option",
    "begin_transaction": "Alembic's context method",
    "transaction_id": "django-payments' field",
    "create_deferred_transaction": "oscar's method of a payment source",
    "transaction_url": "what every shop's gateway contract calls it",
}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
EXCEPTION = re.compile(
    r"#\s*(noqa|type:\s*ignore|pragma:\s*no cover)(?P<codes>(\[[^\]]*\]|:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?)(?P<rest>.*)"
)
REASON_LETTERS = 7  # "as above" has seven; shorter is no reason


def words_of(identifier: str) -> set[str]:
    """Split snake_case and CamelCase into lower-case words."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)}


def identifiers(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of everything that is named or called by name."""
    for node in ast.walk(module):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield line, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield line, name
            case ast.alias(name=name, asname=asname):
                yield line, asname or name.rpartition(".")[2]
            case _:
                pass


def banned_names(module: ast.Module) -> list[str]:
    named = ((line, name) for line, name in identifiers(module) if name not in FOREIGN_NAMES)
    return [f"{line}: {name}" for line, name in named if words_of(name) & BANNED]


def unexplained(source: str) -> list[str]:
    """Return every exception to a rule that lacks its codes or its reason."""
    found = []
    for line, comment in comments(source):
        for match in EXCEPTION.finditer(comment):
            coded = match["codes"] or "pragma" in match[0]
            reason = "".join(re.findall(r"[A-Za-z]", match["rest"]))
            if not coded or len(reason) < REASON_LETTERS:
                found.append(f"{line}: {comment}")
    return found


def unfinished(source: str) -> list[str]:
    """Return comments that promise work, and code that refuses to."""
    promised = [f"{line}: {comment}" for line, comment in comments(source) if UNFINISHED.search(comment)]
    names = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))
    return promised + [f"{node.lineno}: {node.id}" for node in names if node.id == "NotImplementedError"]


def test_no_name_says_the_overloaded_word() -> None:
    assert [f"{path}:{name}" for path in python_in("gateway", "sdk") for name in banned_names(tree(path))] == []


def test_every_exception_to_a_rule_carries_its_codes_and_its_reason() -> None:
    assert [f"{path}:{found}" for path in tracked(".py") for found in unexplained(text(path))] == []


def test_money_rooms_make_no_exception_to_a_rule() -> None:
    excepted = ((path, comment) for path in python_in(*MONEY_ROOMS) for comment in comments(text(path)))
    assert [f"{path}:{line}: {comment}" for path, (line, comment) in excepted if EXCEPTION.search(comment)] == []


def test_nothing_unfinished_lands() -> None:
    assert [f"{path}:{found}" for path in tracked(".py") for found in unfinished(text(path))] == []
    others = tracked(".js", ".css", ".html", ".md", ".toml", ".cfg")
    assert [str(path) for path in others if UNFINISHED.search(text(path))] == []


@pytest.mark.parametrize(
    "source", ["transaction = 1", "def get_transaction(): ...", "class ChainTransactions: ...", "f(transactionId=1)"]
)
def test_the_overloaded_word_is_found_in_any_name(source: str) -> None:
    assert len(banned_names(ast.parse(source))) == 1


def test_names_of_others_and_strings_are_no_offence() -> None:
    source = "from solders.transaction import VersionedTransaction\nrpc.call('getTransaction')\ntransactional = 1"
    assert banned_names(ast.parse(source)) == []


@pytest.mark.parametrize(
    "comment",
    ["# noqa", "# noqa: S608", "# type: ignore", "# type: ignore[arg-type]", "# pragma: no cover", "#noqa:S1"],
)
def test_an_exception_without_codes_or_reason_is_found(comment: str) -> None:
    assert len(unexplained(f"x = 1  {comment}\n")) == 1


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa: S608 - names come from the catalogue",
        "# type: ignore[arg-type]  # the stub forgets bytes",
        "# pragma: no cover - only on Windows",
    ],
)
def test_an_exception_with_its_reason_passes(comment: str) -> None:
    assert unexplained(f"x = 1  {comment}\n") == []


def test_unfinished_work_is_found() -> None:
    assert len(unfinished("x = 1  # TO" + "DO later\nraise NotImplementedError\n")) == 2
    assert unfinished("x = 'TO" + "DO'\n") == []
