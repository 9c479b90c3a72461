"""Mutants: the modules that decide, each with one guard, operand or transition disabled.

They are found in the source, so a new rule has its mutants without anybody listing it. One is put into the
running program by giving the function that holds it another code object, and taken out again the same way.
"""

import ast
import importlib
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent.parent

#: What is looked at. Not: `admission` and `verified` (signatures stand in record headers, which case files
#: do not have; they have tests of their own), `shelves` and `quiet` (they only find or skip sooner), rows.
MODULES: Final = tuple(
    f"stream.{name}"
    for name in (
        "lanes.crossing",
        "lanes.decide",
        "lanes.diverted",
        "lanes.draft",
        "lanes.ended",
        "lanes.ends",
        "lanes.fees",
        "lanes.gateways",
        "lanes.grouping",
        "lanes.heard",
        "lanes.join",
        "lanes.judge",
        "lanes.notice",
        "lanes.past",
        "lanes.people",
        "lanes.regroup",
        "lanes.seals",
        "lanes.sequence",
        "lanes.settle",
        "lanes.statuses",
        "lanes.step",
        "lanes.switches",
        "lanes.timers",
        "lanes.touched",
        "lanes.vehicle",
        "lanes.world",
        "trips.accept",
        "trips.arrival",
        "trips.check",
        "trips.step",
        "trips.uses",
        "trips.versions",
    )
)

Change = Callable[[ast.AST], None]


class Mutant(NamedTuple):
    """One thing disabled. `name` stays the same while its function does, wherever that stands in the file."""

    module: str
    line: int
    #: The function that holds it, as `Class.name`; for a table, the table's name.
    function: str
    what: str
    text: str
    #: Which node of the module's tree, in walking order, and how to change it; None for a table.
    node: int
    change: Change | None
    element: int = -1

    @property
    def name(self) -> str:
        """What a list of reviewed mutants calls it."""
        return f"{self.module.removeprefix('stream.')}:{self.function}: {self.what}: {self.text}"


def mutants_of(module: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its source."""
    tree = ast.parse(_source(module))
    found: list[Mutant] = []
    numbers = {id(node): number for number, node in enumerate(ast.walk(tree))}
    for owner, function in _functions(tree):
        for node in ast.walk(function):
            for what, text, change in _changes(node):
                line = getattr(node, "lineno", function.lineno)
                found.append(Mutant(module, line, owner, what, text, numbers[id(node)], change))
    found += _tables(module, tree)
    return _numbered(sorted(found, key=lambda one: (one.line, one.what, one.text)))


def _numbered(found: list[Mutant]) -> list[Mutant]:
    """The same text in one function twice: the second one is told apart by a number."""
    times: Counter[str] = Counter()
    named = []
    for one in found:
        times[one.name] += 1
        number = times[one.name]
        named.append(one if number == 1 else one._replace(text=f"{one.text} #{number}"))
    return named


@contextmanager
def in_place(mutant: Mutant) -> Iterator[None]:
    """Run with the mutant in place of what it is made of."""
    module = importlib.import_module(mutant.module)
    if mutant.change is None:
        with _other_table(module, mutant):
            yield
        return
    tree = ast.parse(_source(mutant.module))
    mutant.change(next(node for at, node in enumerate(ast.walk(tree)) if at == mutant.node))
    ast.fix_missing_locations(tree)
    made = compile(tree, str(module.__file__), "exec")
    function = _function_of(module, mutant.function)
    before = function.__code__
    function.__code__ = _code_named(made, mutant.function)
    try:
        yield
    finally:
        function.__code__ = before


# ---- what can be disabled


def _changes(  # noqa: C901, PLR0912 - one kind of node a case
    node: ast.AST,
) -> Iterator[tuple[str, str, Change]]:
    match node:
        case ast.If() | ast.IfExp() | ast.While():
            text = ast.unparse(node.test)
            if not isinstance(node, ast.While):
                yield "always", text, _always("test", True)
            if not (isinstance(node, ast.If) and _only_raises(node.body)):
                yield "never", text, _always("test", False)
        case ast.comprehension():
            for at, test in enumerate(node.ifs):
                yield "always", ast.unparse(test), _filter(at, True)
                yield "never", ast.unparse(test), _filter(at, False)
        case ast.BoolOp():
            for at, value in enumerate(node.values):
                yield (
                    "without",
                    f"{ast.unparse(value)} in {ast.unparse(node)}",
                    _without("values", at),
                )
        case ast.Compare(
            ops=[ast.In() | ast.NotIn()], comparators=[ast.Tuple() | ast.Set() as given]
        ):
            for at, value in enumerate(given.elts):
                yield "without", f"{ast.unparse(value)} in {ast.unparse(node)}", _fewer(at)
        case ast.MatchOr():
            for at, pattern in enumerate(node.patterns):
                yield (
                    "without",
                    f"case {ast.unparse(pattern)} of {ast.unparse(node)}",
                    _without("patterns", at),
                )
        case ast.match_case() if not _does_nothing(node.body):
            yield "never", f"case {ast.unparse(node.pattern)}", _no_case
        case _:
            pass


def _only_raises(body: list[ast.stmt]) -> bool:
    """Whether it guards against a broken program, not against what comes from outside."""
    return isinstance(body[-1], ast.Raise)


def _does_nothing(body: list[ast.stmt]) -> bool:
    return len(body) == 1 and isinstance(body[0], ast.Pass | ast.Raise)


def _always(field: str, value: bool) -> Change:
    """The condition is still worked out, so that what it names is there, and then not looked at."""

    def change(node: ast.AST) -> None:
        setattr(node, field, _forced(getattr(node, field), value))

    return change


def _filter(at: int, value: bool) -> Change:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.comprehension)
        node.ifs[at] = _forced(node.ifs[at], value)

    return change


def _forced(test: ast.expr, value: bool) -> ast.expr:
    return ast.BoolOp(ast.Or() if value else ast.And(), [test, ast.Constant(value)])


def _without(field: str, at: int) -> Change:
    def change(node: ast.AST) -> None:
        parts = getattr(node, field)
        del parts[at]
        if len(parts) == 1:  # two are needed: what is left, and what adds nothing to it
            is_all = isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And)
            parts.insert(0, parts[0] if field == "patterns" else ast.Constant(is_all))

    return change


def _fewer(at: int) -> Change:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.Compare)
        assert isinstance(node.comparators[0], ast.Tuple | ast.Set)
        del node.comparators[0].elts[at]

    return change


def _no_case(node: ast.AST) -> None:
    assert isinstance(node, ast.match_case)
    if isinstance(node.pattern, ast.MatchAs) and node.pattern.pattern is None:
        # A case for all the rest must stay, or those before it could not: it does nothing.
        node.body = [ast.Return(None)]
    else:
        node.guard = _forced(node.guard or ast.Constant(True), False)


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        match node:
            case ast.FunctionDef():
                yield node.name, node
            case ast.ClassDef():
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef):
                        yield f"{node.name}.{inner.name}", inner
            case _:
                pass


def _tables(module: str, tree: ast.Module) -> Iterator[Mutant]:
    """An element less of each constant tuple, set or mapping of the module."""
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Tuple(elts=elts)) if all(
                isinstance(one, ast.Constant) and one.value for one in elts
            ):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict(keys=keys)):
                elts = [key for key in keys if key is not None]
            case _:
                continue
        for at, element in enumerate(elts):
            yield Mutant(module, node.lineno, name, "without", ast.unparse(element), -1, None, at)


# ---- putting one in place


def _source(module: str) -> str:
    return (ROOT / f"{module.replace('.', '/')}.py").read_text()


def _function_of(module: types.ModuleType, name: str) -> types.FunctionType:
    found: Any = module
    for part in name.split("."):
        found = vars(found)[part]
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, classmethod | staticmethod):
        found = found.__func__
    found = getattr(found, "__wrapped__", found)
    assert isinstance(found, types.FunctionType), f"{module.__name__}.{name}"
    return found


def _code_named(made: types.CodeType, name: str) -> types.CodeType:
    for part in name.split("."):
        made = next(
            one for one in made.co_consts if isinstance(one, types.CodeType) and one.co_name == part
        )
    return made


@contextmanager
def _other_table(module: types.ModuleType, mutant: Mutant) -> Iterator[None]:
    table = vars(module)[mutant.function]
    if isinstance(table, dict):
        fewer: object = {
            key: value for at, (key, value) in enumerate(table.items()) if at != mutant.element
        }
    else:
        fewer = tuple(one for at, one in enumerate(table) if at != mutant.element)
    users = [
        (user, name)
        for full, user in list(sys.modules.items())
        if full.startswith("stream.")
        for name, value in list(vars(user).items())
        if value is table
    ]
    for user, name in users:
        setattr(user, name, fewer)
    try:
        yield
    finally:
        for user, name in users:
            setattr(user, name, table)


def every() -> list[Mutant]:
    """All mutants of all modules."""
    return [one for module in MODULES for one in mutants_of(module)]
