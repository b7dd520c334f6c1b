"""Makers of mutants: one small change each, of Python by syntax tree and of SQL by token.

What no test could tell, or what is no behaviour, is not changed: annotations, docstrings, decorators, texts of
messages, ``strict=`` of zip, blocks under ``TYPE_CHECKING``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.Pow: ast.Mult,
}
CALLED_FOR_EFFECT = (ast.Call, ast.Yield, ast.YieldFrom, ast.Await)


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes:
        file: Path below the tree.
        number: Which of the file's changes.
        line: Where it is.
        change: What it is, in words.
        text: The changed file, of SQL.
        whole: Whether it takes effect when its module is imported, not when a function is called.
        names: Names that an assignment outside functions binds, if the change is in one.
        function: Which function it is in, if in one.
        code: The line, of Python.
    """

    file: str
    number: int
    line: int
    change: str
    text: str
    whole: bool = False
    names: tuple[str, ...] = ()
    function: str = ""
    code: str = ""

    @property
    def key(self) -> str:
        """How the results of a run name it."""
        return f"{self.file}:{self.line}: {self.change}"

    @property
    def name(self) -> str:
        """How the list of those that can't be noticed names it: so that it outlives edits elsewhere in the file."""
        where = f"{self.file.removeprefix('src/provenance/')} {self.function}".strip()
        return (
            f"{where}: {self.change} in: {self.code[:60]}".strip() if self.code else f"{where}: {self.change}".strip()
        )


@dataclass
class Site:
    """A place where a tree can be changed."""

    node: ast.AST
    change: str
    apply: Callable[[], None]
    whole: bool
    names: tuple[str, ...]


def mutants_of(root: Path, file: str) -> list[Mutant]:
    """Return every mutant of a file, always in the same order."""
    text = (root / file).read_text(encoding="utf-8")
    return list(_sql(file, text) if file.endswith(".sql") else _python(file, text))


def _python(file: str, text: str) -> Iterator[Mutant]:
    tree = ast.parse(text)
    functions, lines = list(_functions(tree, "")), text.splitlines()
    for number, site in enumerate(_sites(tree)):
        line = site.node.lineno
        function = max((first, name) for first, last, name in [(0, line, ""), *functions] if first <= line <= last)[1]
        code = lines[line - 1].strip()
        yield Mutant(file, number, line, site.change, "", site.whole, site.names, function, code)


def _functions(tree: ast.AST, within: str) -> Iterator[tuple[int, int, str]]:
    """Give the first and the last line and the name of each function."""
    for node in ast.iter_child_nodes(tree):
        name = within
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = f"{within}.{node.name}".lstrip(".")
            yield node.lineno, node.end_lineno or node.lineno, name
        yield from _functions(node, name)


def mutated_tree(text: str, number: int) -> ast.Module:
    """Return the tree of a Python file after one change, with the places of the unchanged file."""
    tree = ast.parse(text)
    list(_sites(tree))[number].apply()
    return ast.fix_missing_locations(tree)


def _sites(tree: ast.Module) -> Iterator[Site]:
    yield from _block(tree.body, True, ())


def _block(body: list[ast.stmt], whole: bool, names: tuple[str, ...]) -> Iterator[Site]:
    for place, statement in enumerate(body):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            continue
        if whole and isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = tuple(node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
        if "__all__" in names:
            continue
        yield from _statement(statement, body, place, whole, names)


def _statement(  # noqa: C901 - one branch for each kind
    statement: ast.stmt, body: list[ast.stmt], place: int, whole: bool, names: tuple[str, ...]
) -> Iterator[Site]:
    def removed() -> None:
        body[place] = ast.copy_location(ast.Pass(), statement)

    def became(new: ast.stmt) -> Callable[[], None]:
        return lambda: body.__setitem__(place, ast.copy_location(new, statement))

    shown = ast.unparse(statement).splitlines()[0][:70]
    if (
        (isinstance(statement, ast.Expr) and isinstance(statement.value, CALLED_FOR_EFFECT) and not whole)
        or isinstance(statement, (ast.AugAssign, ast.Raise, ast.Delete))
        or (isinstance(statement, ast.Assign) and not isinstance(statement.targets[0], (ast.Name, ast.Tuple)))
    ):
        yield Site(statement, f"removed: {shown}", removed, whole, names)
    elif isinstance(statement, ast.Break):
        yield Site(statement, "break -> continue", became(ast.Continue()), whole, names)
    elif isinstance(statement, ast.Continue):
        yield Site(statement, "continue -> break", became(ast.Break()), whole, names)
    elif isinstance(statement, ast.Return) and not (
        statement.value is None or (isinstance(statement.value, ast.Constant) and statement.value.value is None)
    ):
        none = ast.Return(ast.copy_location(ast.Constant(None), statement.value))
        yield Site(statement, f"returns nothing: {shown}", became(none), whole, names)
    if isinstance(statement, (ast.If, ast.While)):
        yield _negated(statement, "test", whole, names)
    if isinstance(statement, ast.AugAssign) and type(statement.op) in ARITHMETIC:
        yield _operator(statement, whole, names)
    inside = False if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) else whole
    for name, value in ast.iter_fields(statement):
        if name in {"decorator_list", "annotation", "returns", "type_comment", "type_params", "bases", "keywords"}:
            continue
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            yield from _block(value, inside, names)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from _expression(item, value, index, whole, names)
        elif isinstance(value, ast.AST):
            yield from _expression(value, statement, name, whole, names)


def _set(holder: object, key: str | int, value: ast.AST) -> None:
    if isinstance(holder, list):
        holder[key] = value
    else:
        setattr(holder, str(key), value)


def _expression(  # noqa: C901 - one branch for each kind
    node: ast.AST | None, holder: object, key: str | int, whole: bool, names: tuple[str, ...]
) -> Iterator[Site]:
    """Give the sites in an expression, which is ``holder``'s ``key``."""
    if node is None or isinstance(node, (ast.expr_context, ast.JoinedStr)):
        return  # texts of messages

    def became(new: ast.expr) -> Callable[[], None]:
        return lambda: _set(holder, key, ast.copy_location(new, node))

    if isinstance(node, ast.excepthandler):
        yield from _block(node.body, whole, names)
        return
    if isinstance(node, ast.match_case):
        yield from _block(node.body, whole, names)
        return
    if isinstance(node, ast.keyword) and node.arg == "strict":
        return
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            yield _comparison(node, index, operator, whole, names)
    elif isinstance(node, (ast.BinOp, ast.BoolOp)):
        if not (isinstance(node, ast.BinOp) and _is_text(node)) and (site := _operator(node, whole, names)):
            yield site
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        mark = "not" if isinstance(node.op, ast.Not) else "-"
        yield Site(node, f"dropped {mark}: {ast.unparse(node)[:70]}", became(node.operand), whole, names)
    elif isinstance(node, ast.IfExp):
        yield _negated(node, "test", whole, names)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        if type(node.value) is bool:
            new: list[float] = [not node.value]
        elif type(node.value) is float:
            new = [node.value + 1]
        else:
            new = [node.value + 1, node.value - 1]
        for value in new:
            yield Site(node, f"{node.value} -> {value}", became(ast.Constant(value)), whole, names)
    elif isinstance(node, ast.comprehension):
        for index, test in enumerate(node.ifs):
            yield _negated(node.ifs, index, whole, names, test)
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns"}:
            continue
        inner = whole and not isinstance(node, ast.Lambda)
        if isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _expression(item, value, index, inner, names)
        elif isinstance(value, ast.AST):
            yield from _expression(value, node, name, inner, names)


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )


def _comparison(node: ast.Compare, index: int, operator: ast.cmpop, whole: bool, names: tuple[str, ...]) -> Site:
    new = COMPARISONS[type(operator)]()

    def apply() -> None:
        node.ops[index] = new

    sides = [node.left, *node.comparators]
    pair = ast.Compare(sides[index], [new], [sides[index + 1]])
    old = ast.Compare(sides[index], [operator], [sides[index + 1]])
    return Site(node, f"{ast.unparse(old)[:60]} -> {_symbol(pair)}", apply, whole, names)


def _symbol(pair: ast.Compare) -> str:
    plain = ast.Compare(ast.Name("a"), pair.ops, [ast.Name("b")])
    return ast.unparse(plain)[2:-2]


def _operator(node: ast.BinOp | ast.BoolOp | ast.AugAssign, whole: bool, names: tuple[str, ...]) -> Site | None:
    old = node.op
    if isinstance(old, ast.boolop):
        new: ast.AST = ast.Or() if isinstance(old, ast.And) else ast.And()
        word = "or" if isinstance(old, ast.And) else "and"
    else:
        made = ARITHMETIC.get(type(old))
        if made is None:
            return None
        new = made()
        word = ast.unparse(ast.BinOp(ast.Name("a"), new, ast.Name("b")))[2:-2]

    def apply() -> None:
        node.op = new

    return Site(node, f"{ast.unparse(node)[:60]} -> {word}", apply, whole, names)


def _negated(
    holder: ast.AST | list[ast.expr], key: str | int, whole: bool, names: tuple[str, ...], test: ast.expr | None = None
) -> Site:
    condition: ast.expr = test if test is not None else getattr(holder, str(key))

    def apply() -> None:
        new = ast.UnaryOp(ast.Not(), getattr(holder, str(key)) if isinstance(holder, ast.AST) else holder[int(key)])
        _set(holder, key, ast.copy_location(new, condition))

    return Site(condition, f"negated: {ast.unparse(condition)[:70]}", apply, whole, names)


TOKEN = re.compile(
    r"--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"|\$?[A-Za-z_]\w*|\d+(?:\.\d+)?|<=|>=|<>|!=|\|\||::|->|:=|=>|[^\s\w]|\s+"
)
WORDS = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "=": "<>",
    "<>": "=",
    "!=": "=",
    "and": "or",
    "or": "and",
    "min": "max",
    "max": "min",
    "least": "greatest",
    "greatest": "least",
    "min_by": "max_by",
    "max_by": "min_by",
    "arg_min": "arg_max",
    "arg_max": "arg_min",
    "bool_and": "bool_or",
    "bool_or": "bool_and",
    "+": "-",
    "-": "+",
    "/": "*",
    "true": "false",
    "false": "true",
    "distinct": "",
    "desc": "",
    "left": "",
    "not": "",
    "semi": "anti",
    "anti": "semi",
}
CLAUSES = {"where", "on", "having", "when"}
ENDS = {
    *("group", "order", "union", "left", "join", "then", "limit", "qualify", "window", "semi", "anti", "inner"),
    *("except", "select", "from", *CLAUSES),
}


def _sql(file: str, text: str) -> Iterator[Mutant]:
    tokens = TOKEN.findall(text)
    assert "".join(tokens) == text, f"{file} has a token that is unknown"
    code = [index for index, token in enumerate(tokens) if token.strip() and not token.startswith("--")]
    changes: list[tuple[int, int, str, str]] = []  # first token, one past the last, new text, in words
    for place, index in enumerate(code):
        token = tokens[index]
        low = token.lower()
        after = tokens[code[place + 1]] if place + 1 < len(code) else ""
        ahead = tokens[code[place - 1]].lower() if place else ""
        if low == "and" and _between(tokens, code, place):
            continue
        if low == "or" and after.lower() == "replace":
            continue
        if low in {"left", "least", "greatest", "min", "max"} and (after == "(") == (low == "left"):
            continue  # a name, not the word
        if low == "not" and after.lower() == "exists":
            changes.append((index, index + 1, "", "dropped not"))
        elif low == "not" and ahead == "is":
            changes.append((index, index + 1, "", "is not -> is"))
        elif low == "is" and after.lower() == "null":
            changes.append((index, index + 1, "is not", "is null -> is not null"))
        elif low == "*" and (ahead in {",", "select", "(", "."} or after in {",", ")"}):
            continue  # all columns
        elif low in WORDS:
            changes.append((index, index + 1, WORDS[low], f"{low} -> {WORDS[low] or 'dropped'}"))
        elif low == "*":
            changes.append((index, index + 1, "/", "* -> /"))
        elif re.fullmatch(r"\d+", token):
            changes.append((index, index + 1, str(int(token) + 1), f"{token} -> {int(token) + 1}"))
            changes.append((index, index + 1, str(int(token) - 1), f"{token} -> {int(token) - 1}"))
        elif low == "coalesce" and after == "(":
            first, end = _first_argument(tokens, code[place + 1])
            changes.append((index, end, f"({first})", f"coalesce dropped: {first[:50]}"))
    changes += _predicates(tokens, code)
    changes.sort(key=lambda change: (change[0], change[1]))
    for number, (begin, end, new, words) in enumerate(changes):
        line = "".join(tokens[:begin]).count("\n") + 1
        changed = "".join(tokens[:begin]) + new + "".join(tokens[end:])
        around = " ".join("".join(tokens[max(0, begin - 6) : end + 6]).split())[:70]
        yield Mutant(file, number, line, f"{words} in: {around}", changed)


def _between(tokens: list[str], code: list[int], place: int) -> bool:
    """Whether this ``and`` belongs to ``between`` or to a frame."""
    for index in reversed(code[max(0, place - 8) : place]):
        low = tokens[index].lower()
        if low == "between":
            return True
        if low in CLAUSES or low == "and":
            return False
    return False


def _first_argument(tokens: list[str], opening: int) -> tuple[str, int]:
    depth, first, index = 0, None, opening
    while True:
        token = tokens[index]
        depth += (token in "([{") - (token in ")]}") if token.strip() else 0
        if token == "," and depth == 1 and first is None:
            first = "".join(tokens[opening + 1 : index])
        if depth == 0:
            return (first or "".join(tokens[opening + 1 : index])), index + 1
        index += 1


def _predicates(tokens: list[str], code: list[int]) -> Iterator[tuple[int, int, str, str]]:
    """Give each conjunct of each condition, to be replaced by ``true``."""
    for place, index in enumerate(code):
        if tokens[index].lower() not in CLAUSES:
            continue
        depth, begin, ands, parts, ors = 0, place + 1, False, [], False
        for later in range(place + 1, len(code) + 1):
            low = tokens[code[later]].lower() if later < len(code) else ";"
            ends = depth == 0 and (low in ENDS or low in {")", ";", "]", "}", ","})
            if ends or (depth == 0 and low == "and" and not _between(tokens, code, later)):
                if later > begin:
                    parts.append((code[begin], code[later - 1] + 1))
                begin = later + 1
                ands = ands or not ends
            if ends:
                break
            ors = ors or (depth == 0 and low == "or")
            depth += (low in {"(", "[", "{", "case"}) - (low in {")", "]", "}", "end"})
        if ors:
            parts = [(parts[0][0], parts[-1][1])] if parts else []
        for first, last in parts:
            shown = " ".join("".join(tokens[first:last]).split())[:60]
            if shown.lower() != "true":
                yield first, last, "true", f"predicate dropped: {shown}"
