import pytest

from layerforge.core import globs


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("**/tests/**", "numpy/tests/test_a.py"),
        ("**/tests/**", "tests/a.py"),
        ("**/*.pyi", "a.pyi"),
        ("**/*.pyi", "a/b/c.pyi"),
        ("numpy/testing/**", "numpy/testing/__init__.py"),
        ("*.dist-info/direct_url.json", "demo-1.0.dist-info/direct_url.json"),
        ("libomp?.so", "libomp5.so"),
        ("**", "anything/at/all"),
    ],
)
def test_a_glob_matches(glob: str, path: str) -> None:
    assert globs.matches(path, [glob])


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("**/tests/**", "numpy/testing/a.py"),
        ("**/tests/**", "numpy/tests"),
        ("**/tests/**", "mytests/a.py"),
        ("*.pyi", "a/b.pyi"),
        ("a.py", "axpy"),
        ("lib?.so", "lib/.so"),
        ("[ab].py", "a.py"),
    ],
)
def test_a_glob_leaves_alone(glob: str, path: str) -> None:
    assert not globs.matches(path, [glob])


def test_no_glob_matches_nothing() -> None:
    assert not globs.matches("a", [])
