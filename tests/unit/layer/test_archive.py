import datetime
import io
import random
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import FakeProgress, FakeStore, a_file, a_tree
from layerforge.core import digest
from layerforge.core.errors import VerificationError
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.text import megabytes
from layerforge.layer import archive
from layerforge.layer.tree import Blob, File, Link, Tree
from layerforge.resolve.recipe import Compression

SPRING = int(datetime.datetime(2026, 4, 1, 12, 30, 10, tzinfo=datetime.UTC).timestamp())


def pack(tree: Tree, compression: Compression = Compression.FAST, epoch: int = archive.EARLIEST) -> bytes:
    return archive.archive(tree, compression, epoch, FakeStore(), FakeProgress()).data


def test_entries_have_fixed_modes_dates_and_system() -> None:
    tree = a_tree(
        a_file("bin/tool", b"\x7fELF", executable=True),
        a_file("python/a.py", b"a = 1\n" * 100),
        Link(path="python/liba.so", target="b/liba.so"),
    )
    with zipfile.ZipFile(io.BytesIO(pack(tree))) as made:
        assert made.testzip() is None
        rows = [(one.filename, one.external_attr >> 16, one.create_system, one.date_time) for one in made.infolist()]
        assert made.read("python/a.py") == b"a = 1\n" * 100
        assert made.read("python/liba.so") == b"b/liba.so"
    day = (1980, 1, 1, 0, 0, 0)
    assert rows == [
        ("bin/tool", 0o100755, 3, day),
        ("python/a.py", 0o100644, 3, day),
        ("python/liba.so", 0o120777, 3, day),
    ]


def test_the_source_date_epoch_dates_every_entry() -> None:
    with zipfile.ZipFile(io.BytesIO(pack(a_tree(a_file("a")), epoch=SPRING))) as made:
        assert made.infolist()[0].date_time == (2026, 4, 1, 12, 30, 10)


def test_the_oldest_and_the_newest_date_are_those_that_a_zip_can_hold() -> None:
    def stands(epoch: int) -> tuple[int, ...]:
        with zipfile.ZipFile(io.BytesIO(pack(a_tree(a_file("a")), epoch=epoch))) as made:
            return made.infolist()[0].date_time

    oldest = datetime.datetime(1980, 1, 1, tzinfo=datetime.UTC)
    newest = datetime.datetime(2107, 12, 31, 23, 59, 58, tzinfo=datetime.UTC)
    assert (oldest.timestamp(), newest.timestamp()) == (archive.EARLIEST, archive.LATEST)
    assert stands(archive.EARLIEST) == stands(0) == (1980, 1, 1, 0, 0, 0)
    assert stands(archive.LATEST) == (2107, 12, 31, 23, 59, 58)


@given(st.dictionaries(st.text("abcé/._", min_size=1, max_size=12), st.binary(max_size=3000), max_size=8), st.randoms())
def test_every_tree_reads_back_and_gives_the_same_bytes_in_any_order(
    files: dict[str, bytes], chance: random.Random
) -> None:
    entries = [a_file(path, data) for path, data in files.items()]
    first = pack(a_tree(*entries))
    chance.shuffle(entries)
    assert pack(a_tree(*entries)) == first
    with zipfile.ZipFile(io.BytesIO(first)) as made:
        assert {one.orig_filename: made.read(one) for one in made.infolist()} == files


def test_what_compressing_well_wins_is_told_by_a_sample_that_no_order_changes() -> None:
    text = b"".join(b"value_%d = %d\n" % (number, number * number) for number in range(5_000))
    files = [a_file(f"python/m{number}.py", text + b"%d" % number) for number in range(80)]
    tree = a_tree(*files)
    share = archive.won(tree)
    whole = 1 - len(pack(tree, Compression.SMALL)) / len(pack(tree, Compression.FAST))
    assert share == pytest.approx(whole, abs=0.01)
    assert archive.won(a_tree(*reversed(files))) == share
    assert archive.won(a_tree(a_file("a", bytes(range(256))))) == 0
    assert archive.won(a_tree()) == 0


def test_streams_that_were_begun_before_the_tree_was_whole_give_the_same_bytes() -> None:
    kept = archive.LEVELS[Compression.FAST].kept_from
    large = [a_file(f"python/lib{number}.so", bytes([number]) * kept + a_source(number)) for number in range(3)]
    small = [a_file(f"python/m{number}.py", a_source(number)) for number in range(120)]
    store = FakeStore()
    streams = archive.begun(a_tree(*large, *small), Compression.FAST, store)
    assert set(streams) == {one.blob.sha256 for one in large}
    whole = a_tree(*large, *small, a_file("python/m0.pyc", b"code"))
    made = archive.archive(whole, Compression.FAST, archive.EARLIEST, FakeStore(), FakeProgress(), streams)
    assert made.data == pack(whole)
    assert len(store.values) == 3


@pytest.mark.parametrize(
    ("compression", "shared"), [(Compression.SMALL, False), (Compression.MAX, False), (Compression.FAST, True)]
)
def test_nothing_is_begun_that_takes_long_or_that_others_have(compression: Compression, shared: bool) -> None:
    tree = a_tree(a_file("python/lib.so", bytes(100_000)))
    assert archive.begun(tree, compression, FakeStore(shared=shared)) == {}


def test_what_cannot_be_kept_of_what_was_begun_is_told_where_it_is_asked_for(tmp_path: Path) -> None:
    lost = File(path="python/lib.so", blob=Blob(sha256="0" * 64, size=100_000, source=tmp_path / "gone"))
    streams = archive.begun(a_tree(lost), Compression.FAST, FakeStore())
    with pytest.raises(FileNotFoundError):
        archive.archive(a_tree(lost), Compression.FAST, archive.EARLIEST, FakeStore(), FakeProgress(), streams)


def test_of_a_large_file_no_more_than_the_sample_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"".join(b"value_%d = %d\n" % (number, number * number) for number in range(5_000))
    monkeypatch.setattr(archive, "SAMPLE", len(text))
    assert archive.won(a_tree(a_file("a", text + bytes(5_000_000)))) == archive.won(a_tree(a_file("a", text)))


@pytest.mark.parametrize("compression", list(Compression))
def test_every_level_makes_streams_that_zlib_reads(compression: Compression) -> None:
    data = b"".join(b"line %d of a text that repeats itself\n" % number for number in range(500))
    stream = archive.LEVELS[compression].compress(data)
    assert zlib.decompress(stream, wbits=-15) == data


def a_source(seed: int) -> bytes:
    """Functions that call each other, which is what modules look like to a compressor."""
    chance = random.Random(seed)
    names = [f"{chance.choice('abcdefgh')}{chance.randrange(400)}" for _ in range(60)]
    lines = (
        f"def {chance.choice(names)}(x): return {chance.choice(names)}(x + {chance.randrange(99)})" for _ in range(200)
    )
    return "\n".join(lines).encode()


def test_more_time_gives_a_smaller_layer() -> None:
    # Not for every single file: zopfli's stream of one may be some bytes longer than libdeflate's.
    tree = a_tree(*(a_file(f"python/m{seed}.py", a_source(seed)) for seed in range(3)))
    fast, small, most = (len(pack(tree, level)) for level in (Compression.FAST, Compression.SMALL, Compression.MAX))
    assert fast > small > most


def test_what_does_not_shrink_is_stored() -> None:
    noise = random.Random(1).randbytes(1000)
    with zipfile.ZipFile(io.BytesIO(pack(a_tree(a_file("a", noise), a_file("b"))))) as made:
        assert [one.compress_type for one in made.infolist()] == [zipfile.ZIP_STORED] * 2


def test_an_archive_does_not_show_all_its_bytes_where_it_is_shown() -> None:
    made = archive.archive(a_tree(a_file("a", b"secret")), Compression.FAST, 0, FakeStore(), FakeProgress())
    assert b"secret" in made.data
    assert made.sha256 in repr(made)
    assert "secret" not in repr(made)


@pytest.mark.parametrize(("length", "stored"), [(99, False), (100, True), (101, True)])
def test_a_stream_is_taken_only_where_it_is_shorter_than_the_file(length: int, stored: bool) -> None:
    level = archive.Level(name="any", compress=lambda _: b"s" * length, kept_from=1)
    packed = archive.pack(a_file("a", b"d" * 100), level, FakeStore())
    assert packed.stored is stored
    assert packed.stream == (b"d" * 100 if stored else b"s" * length)


def test_streams_come_from_the_store_the_second_time() -> None:
    store, data = FakeStore(), b"compressible " * 20_000
    first = archive.archive(a_tree(a_file("a", data)), Compression.FAST, 0, store, FakeProgress())
    assert store.hits == 0
    second = archive.archive(a_tree(a_file("moved", data)), Compression.FAST, 0, store, FakeProgress())
    assert store.hits == 1
    assert second.zipped == first.zipped + 2 * len("oved")


def test_the_content_digest_does_not_depend_on_the_compressor() -> None:
    tree = a_tree(a_file("a", b"x" * 10_000), Link(path="b", target="a"))
    made = [
        archive.archive(tree, level, 0, FakeStore(), FakeProgress()) for level in (Compression.FAST, Compression.MAX)
    ]
    assert made[0].content_sha256 == made[1].content_sha256
    rows = [(0o100644, digest.sha256(b"x" * 10_000), "a"), (0o120777, digest.sha256(b"a"), "b")]
    assert made[0].content_sha256 == digest.of_contents(rows)


def test_a_layer_above_lambdas_limit_says_what_is_largest_and_what_would_help() -> None:
    huge = Blob(sha256="0" * 64, size=300_000_000, source=b"")
    tree = a_tree(File(path="python/torch/a.so", blob=huge, package="torch"), a_file("python/b.py", b"b", package="b"))
    with pytest.raises(VerificationError, match=r"300\.0 MB unzipped") as caught:
        pack(tree)
    assert caught.value.details[0].endswith("300.0 MB  torch")
    assert "--bytecode only" in caught.value.hint


def test_a_layer_above_the_limit_names_the_five_largest_packages_the_largest_first() -> None:
    def part(number: int) -> File:
        blob = Blob(sha256="0" * 64, size=number * 20_000_000, source=b"")
        return File(path=f"python/p{number}.so", blob=blob, package=f"p{number}")

    with pytest.raises(VerificationError) as caught:
        archive.check_limit(a_tree(*map(part, range(1, 7))))
    assert caught.value.details == tuple(f"{20 * number:>5}.0 MB  p{number}" for number in (6, 5, 4, 3, 2))
    assert caught.value.message == (
        "the layer would take 420.0 MB unzipped in 6 files; Lambda takes 262.1 MB and 65,535"
    )


def test_progress_is_told_how_much_there_is_how_far_it_is_and_what_it_came_to() -> None:
    progress = FakeProgress()
    tree = a_tree(a_file("a", b"a" * 300_000), a_file("b", b"b" * 200_000), Link(path="c", target="a"))
    made = archive.archive(tree, Compression.FAST, 0, FakeStore(), progress)
    [told] = progress.told
    assert progress.steps == ["compress"]
    assert told.expected == told.advanced == tree.size == made.unzipped
    assert told.notes == [f"{megabytes(made.unzipped)} → {megabytes(made.zipped)}"]


@pytest.mark.parametrize("level", list(Compression))
def test_streams_are_kept_by_compressor_and_content_and_by_nothing_else(level: Compression) -> None:
    def kept(entry: File | Link) -> list[tuple[str, str]]:
        store = FakeStore()
        archive.pack(entry, archive.LEVELS[level], store)
        return list(store.values)

    data = b"a line of text\n" * (archive.LEVELS[level].kept_from // 15 + 2)
    first = a_file("a", data)
    assert kept(first) == [(archive.LEVELS[level].name, digest.sha256(data))]
    assert kept(a_file("b/c", data, package="other", executable=True)) == kept(first)
    assert kept(a_file("a", data[:-1])) != kept(first)


def test_no_two_compressors_share_their_streams() -> None:
    assert len({level.name for level in archive.LEVELS.values()}) == len(Compression)


def test_a_layer_of_exactly_lambdas_limit_passes_and_one_byte_more_does_not() -> None:
    def of_size(size: int) -> Tree:
        return a_tree(File(path="python/a.so", blob=Blob(sha256="0" * 64, size=size, source=b"")))

    archive.check_limit(of_size(262_144_000))
    with pytest.raises(VerificationError):
        archive.check_limit(of_size(262_144_001))


def test_as_many_files_as_a_zip_can_hold_pass_and_one_more_does_not() -> None:
    files = [a_file(f"python/{number}") for number in range(65_536)]
    archive.check_limit(a_tree(*files[:-1]))
    with pytest.raises(VerificationError, match="65,536 files"):
        archive.check_limit(a_tree(*files))


@pytest.mark.parametrize(
    ("compression", "size", "kept"),
    [
        (Compression.FAST, 65_535, False),
        (Compression.FAST, 65_536, True),
        (Compression.SMALL, 2_047, False),
        (Compression.SMALL, 2_048, True),
        (Compression.MAX, 0, False),
        (Compression.MAX, 1, True),
    ],
)
def test_a_stream_is_kept_where_making_it_takes_longer_than_reading_it(
    compression: Compression, size: int, kept: bool
) -> None:
    store = FakeStore()
    archive.archive(a_tree(a_file("a", b"a" * size)), compression, archive.EARLIEST, store, FakeProgress())
    assert bool(store.values) is kept


def test_what_no_package_brought_is_summed_up_too() -> None:
    half = Blob(sha256="0" * 64, size=LAMBDA_UNZIPPED_LIMIT // 2, source=b"")
    loose = [File(path=f"{name}.bin", blob=half) for name in "ab"]
    more = File(path="c.bin", blob=Blob(sha256="1" * 64, size=7, source=b""), package="pkg")
    with pytest.raises(VerificationError) as caught:
        archive.check_limit(a_tree(*loose, more))
    assert [line.split() for line in caught.value.details] == [
        ["262.1", "MB", "(no", "package)"],
        ["7", "bytes", "pkg"],
    ]


def test_a_compressor_is_called_by_its_level_since_its_streams_are_kept_under_that_name() -> None:
    for level in archive.LEVELS.values():
        told = getattr(level.compress, "keywords", {})
        assert level.name == (f"libdeflate-{told['level']}" if told else "zopfli")


# --- streams that others have made


def shared_and_packed(store: FakeStore, progress: FakeProgress) -> bytes:
    """The bytes of a layer of two packages, a file of none and one too small for its stream to be kept."""
    files = [
        ("a/1", b"1" * 70_000, "a"),
        ("a/2", b"2" * 70_000, "a"),
        ("b/1", b"3" * 70_000, "b"),
        ("c", b"4" * 70_000, ""),
    ]
    tree = a_tree(*(a_file(path, data, package=package) for path, data, package in [*files, ("a/3", b"small", "a")]))
    return archive.archive(tree, Compression.FAST, archive.EARLIEST, store, progress).data


def test_the_streams_of_a_package_go_to_others_as_one_value_and_come_from_them_so() -> None:
    ours, progress = FakeStore(shared=True), FakeProgress()
    alone = shared_and_packed(FakeStore(), progress)
    assert shared_and_packed(ours, progress) == alone
    bundles = {key: value for key, value in ours.values.items() if key[0] == "libdeflate-6-bundle"}
    assert len(bundles) == 3
    theirs = FakeStore(shared=True, values=dict(bundles))
    assert shared_and_packed(theirs, progress) == alone
    assert theirs.values == ours.values
    assert progress.warnings == []


def test_a_store_that_nobody_else_reads_gets_no_bundles() -> None:
    store = FakeStore()
    shared_and_packed(store, FakeProgress())
    assert {kind for kind, _ in store.values} == {"libdeflate-6"}
