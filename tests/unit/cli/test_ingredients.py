from fakes import a_manifest
from layerforge.cli import ingredients
from layerforge.layer.data_files import LaidData
from layerforge.layer.patches import AppliedPatch
from layerforge.resolve.left_out import LeftOut, Why


def test_each_kind_that_no_file_of_the_layer_shows_has_a_line() -> None:
    patch = AppliedPatch(package="dbt-core", name="locks.patch", sha256="a" * 64, files=("python/dbt/x.py",))
    data = LaidData(package="nltk", name="punkt.zip", sha256="b" * 64, into="share/nltk_data", files=5, bytes=240_000)
    gone = LeftOut(name="boto3", version="1.44.8", why=Why.RUNTIME, bytes=None)
    manifest = a_manifest(patches=(patch,), data=(data,), left_out=(gone,), env={"NLTK_DATA": "/opt/share/nltk_data"})
    assert list(ingredients.told(manifest)) == [
        "left out: boto3 1.44.8",
        "patched: dbt-core by locks.patch",
        "data: punkt.zip of nltk in share/nltk_data, 240.0 kB",
        "the function's variables: NLTK_DATA=/opt/share/nltk_data",
    ]
    found = ingredients.as_data(manifest)
    assert [len(found[name]) for name in ("env", "left_out", "patches", "data")] == [1, 1, 1, 1]


def test_a_layer_without_any_has_none() -> None:
    assert list(ingredients.told(a_manifest())) == []
    assert ingredients.as_data(None) == ingredients.as_data(a_manifest())
