from __future__ import annotations

from layerforge.measure.deferring.graph import ROOT, Wait, graph_of, needed
from unit.measure.deferring.traces import a_statement, a_trace

TOP = ("__main__", 1, "", "top")


def test_a_line_with_an_import_statement_could_wait_and_any_other_line_could_not() -> None:
    statements = {"top": (a_statement(3, "json"),)}
    edges = [TOP, ("top", 3, "", "json"), ("top", 9, "tools", "csv"), ("_core", 0, "", "math"), ("top", 4, "", "_core")]
    graph = graph_of(a_trace(edges, statements), {})
    assert graph.waits["top"] == {Wait("top", "json"): frozenset({"json"})}
    assert graph.fixed["top"] == {"csv", "_core"}
    assert graph.fixed["_core"] == {"math"}
    assert graph.fixed[ROOT] == {"top"}


def test_a_module_keeps_the_packages_that_it_lies_in() -> None:
    graph = graph_of(a_trace([("__main__", 1, "", "a.b.c"), ("__main__", 1, "", "a.b"), ("__main__", 1, "", "a")]), {})
    assert graph.fixed["a.b.c"] == {"a", "a.b"}


def test_what_a_handlers_file_imports_the_function_asks_for_though_nobody_imports_that_file() -> None:
    graph = graph_of(a_trace([("app", 1, "", "top"), ("top", 3, "", "json")], {"top": (a_statement(3, "json"),)}), {})
    assert graph.fixed[ROOT] == {"top"}
    assert graph.waits["top"] == {Wait("top", "json"): frozenset({"json"})}


def test_a_name_that_is_a_module_waits_alone_though_nobody_asked_for_it_again() -> None:
    statements = {"top": (a_statement(3, "pkg", "heavy", "tool"),)}
    edges = [TOP, ("__main__", 2, "", "pkg.heavy"), ("top", 3, "", "pkg")]
    graph = graph_of(a_trace(edges, statements), {})
    assert graph.waits["top"][Wait("top", "pkg.heavy")] == {"pkg", "pkg.heavy"}
    assert graph.waits["top"][Wait("top", "pkg")] == {"pkg"}


def test_what_is_loaded_by_an_attribute_of_a_package_belongs_to_the_statement_that_asks_for_it() -> None:
    statements = {"top": (a_statement(3, "pkg", "heavy"),)}
    graph = graph_of(a_trace([TOP, ("top", 3, "", "pkg"), ("top", 3, "pkg", "pkg.heavy")], statements), {})
    assert set(graph.waits["top"]) == {Wait("top", "pkg.heavy")}
    assert "pkg.heavy" not in graph.fixed["top"]


def test_a_statement_that_was_not_run_keeps_nothing() -> None:
    statements = {"top": (a_statement(3, "json"), a_statement(5, "never"))}
    edges = [TOP, ("top", 3, "", "json"), ("other", 1, "", "never"), ("top", 4, "", "other")]
    assert set(graph_of(a_trace(edges, statements), {}).waits["top"]) == {Wait("top", "json")}


def test_who_takes_a_name_that_another_module_imported_keeps_where_it_comes_from() -> None:
    statements = {"top": (a_statement(1, "tools", "thing"),), "tools": (a_statement(1, "heavy", "thing"),)}
    edges = [TOP, ("top", 1, "", "tools"), ("tools", 1, "", "heavy")]
    graph = graph_of(a_trace(edges, statements), {})
    assert graph.waits["top"][Wait("top", "tools")] == {"tools", "heavy"}


def test_import_of_everything_keeps_all_that_the_module_imports() -> None:
    statements = {"top": (a_statement(1, "tools", "*"),), "tools": (a_statement(1, "heavy"),)}
    edges = [TOP, ("top", 1, "", "tools"), ("tools", 1, "", "heavy")]
    assert graph_of(a_trace(edges, statements), {}).waits["top"][Wait("top", "tools")] == {"tools", "heavy"}


def test_names_that_take_each_other_from_one_another_end() -> None:
    statements = {"a": (a_statement(1, "b", "x"),), "b": (a_statement(1, "a", "x"),)}
    edges = [("__main__", 1, "", "a"), ("a", 1, "", "b"), ("b", 1, "", "a")]
    assert graph_of(a_trace(edges, statements), {}).waits["a"][Wait("a", "b")] == {"a", "b"}


def test_what_a_first_look_tells_is_known_with_its_line() -> None:
    row = a_statement(3, "pkg", "used", "unused")
    row = type(row)(first=3, last=3, module="pkg", names=row.names, bound=row.bound, needed=(9, 0))
    trace = a_trace([TOP, ("top", 3, "", "pkg.used"), ("top", 3, "", "pkg")], {"top": (row,)})
    assert needed(trace) == {Wait("top", "pkg.used"): 9}
