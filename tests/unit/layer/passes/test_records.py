from fakes import a_file, a_setting, a_tree
from layerforge.layer.passes.records import rewrite_records
from layerforge.layer.tree import Edit, Link, Package, Tree, apply
from wheels import record_row

DEMO = Package(name="demo", version="1", info="python/demo-1.dist-info")


def rewritten(tree: Tree) -> str:
    edits = [item for item in rewrite_records(tree, a_setting()) if isinstance(item, Edit)]
    [record] = [file for file in apply(tree, edits).files if file.path.endswith("RECORD")]
    return record.blob.read().decode()


def test_a_record_lists_what_the_layer_holds_of_its_package_and_nothing_else() -> None:
    tree = a_tree(
        a_file("python/demo/__init__.py", b"", package="demo"),
        a_file("python/demo/__pycache__/__init__.cpython-313.pyc", b"pyc", package="demo"),
        a_file("bin/demo", b"\x7fELF", package="demo"),
        Link(path="python/demo/a.so", target="b.so", package="demo"),
        a_file("python/other.py", b"", package="other"),
        a_file("python/demo-1.dist-info/RECORD", b"python/gone.py,,\n", package="demo"),
        packages=[DEMO],
    )
    assert rewritten(tree).splitlines() == [
        record_row("../bin/demo", b"\x7fELF"),
        "demo-1.dist-info/RECORD,,",
        record_row("demo/__init__.py", b""),
        record_row("demo/__pycache__/__init__.cpython-313.pyc", b"pyc"),
        "demo/a.so,,",
    ]


def test_names_with_commas_are_quoted() -> None:
    tree = a_tree(
        a_file("python/demo/a,b.txt", b"", package="demo"),
        a_file("python/demo-1.dist-info/RECORD", b"", package="demo"),
        packages=[DEMO],
    )
    assert '"demo/a,b.txt",sha256=' in rewritten(tree)


def test_a_true_record_and_a_missing_one_are_left_alone() -> None:
    tree = a_tree(
        a_file("python/demo-1.dist-info/RECORD", b"demo-1.dist-info/RECORD,,\n", package="demo"), packages=[DEMO]
    )
    assert not list(rewrite_records(tree, a_setting()))
    assert not list(rewrite_records(a_tree(packages=[DEMO]), a_setting()))
