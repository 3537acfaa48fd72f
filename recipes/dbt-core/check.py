"""What a function expects of dbt: a project with a seed, a macro, a model and tests is built, where DuckDB is."""

import importlib.metadata
import os
import shutil
import subprocess  # noqa: TID251 - its program is what is checked
import tempfile
from pathlib import Path

from dbt.cli.main import dbtRunner

PROJECT = {
    "dbt_project.yml": 'name: demo\nversion: "1.0"\nprofile: demo\nflags:\n  send_anonymous_usage_stats: false\n',
    "profiles.yml": 'demo:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: "demo.duckdb"}\n',
    "seeds/fruits.csv": "id,name,price\n1,pear,3\n2,plum,5\n",
    "macros/doubled.sql": "{% macro doubled(column) %}2 * {{ column }}{% endmacro %}",
    "models/prices.sql": "select name, {{ doubled('price') }} as price from {{ ref('fruits') }}",
    "models/schema.yml": "models:\n- name: prices\n  columns:\n  - name: name\n    data_tests: [unique, not_null]\n",
}


def main() -> None:
    assert importlib.metadata.version("dbt-core")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in PROJECT.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)
        project(folder)
    program()


def program() -> None:
    """The layer's own program, where Lambda's interpreter is that starts it."""
    found = shutil.which("dbt")
    assert found
    if Path("/var/lang/bin/python3").exists():
        done = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=120)
        assert importlib.metadata.version("dbt-core") in done.stdout, done.stderr


def project(folder: Path) -> None:
    """Builds where an adapter is; without one dbt can do no more than read what a project says."""
    places = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--log-path", str(folder / "logs")]
    before = Path.cwd()
    os.chdir(folder)
    try:
        run(["debug" if not adapter() else "build", *places], fails=not adapter())
        if adapter():
            run(["docs", "generate", *places])
            assert rows(folder / "demo.duckdb") == [("pear", 6), ("plum", 10)]
    finally:
        os.chdir(before)


def adapter() -> bool:
    return any(one.metadata["Name"] == "dbt-duckdb" for one in importlib.metadata.distributions())


def run(arguments: list[str], *, fails: bool = False) -> None:
    done = dbtRunner().invoke(["--quiet", *arguments])
    if fails:
        assert not done.success
        return
    assert done.success, done.exception or [(one.node.name, one.status, one.message) for one in done.result or ()]


def rows(file: Path) -> list[tuple[str, int]]:
    import duckdb

    with duckdb.connect(str(file)) as base:
        return base.execute("select name, price from prices order by name").fetchall()


main()
