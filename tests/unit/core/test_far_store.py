"""What a team shares is believed where a digest or a trusted signature proves it, and nowhere else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import FakeProgress
from layerforge.core import digest
from layerforge.core.store import far, keys, records, sharing
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.far import ConflictError, FarStore, blob_name
from layerforge.core.store.keys import SigningKey
from layerforge.core.store.lenient import LenientStore
from layerforge.core.store.objects import MARK, FarReadOnlyError, FarStoreError, FolderObjects
from layerforge.core.store.protocol import Made
from layerforge.core.store.records import Record, UnusableError
from layerforge.core.store.sharing import Sharing

KEY = "ab" * 32
OURS, THEIRS = keys.new_key("team"), keys.new_key("stranger")


@dataclass
class Team:
    """A place that machines share."""

    folder: Path
    progress: FakeProgress = field(default_factory=FakeProgress)

    @property
    def objects(self) -> FolderObjects:
        return FolderObjects(root=self.folder)

    def store(self, signer: SigningKey | None = OURS, trusted: tuple[SigningKey, ...] = ()) -> FarStore:
        public = tuple(one.public for one in trusted)
        return FarStore(objects=self.objects, progress=self.progress, signer=signer, trusted=public)

    def record_file(self, key: SigningKey = OURS, kind: str = "built") -> Path:
        return self.folder / records.place(kind, KEY, key.public.id)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path / "far")


def test_what_one_machine_puts_another_that_trusts_its_key_gets(team: Team) -> None:
    team.store().put("built", KEY, b"wheel", Made(image="sha256:1", versions={"gcc": "11"}, seconds=3, log="c" * 64))

    other = team.store(signer=None, trusted=(OURS,))
    assert other.get("built", KEY) == b"wheel"
    assert other.holds("built", KEY)
    found = other.record("built", KEY)
    assert found is not None
    assert (found.made.image, found.made.seconds, found.signer) == ("sha256:1", 3.0, "team")
    assert not team.progress.warnings


def test_a_value_by_its_own_digest_needs_nobody_to_vouch_for_it(team: Team) -> None:
    key = digest.sha256(b"archive")
    team.store().put("source", key, b"archive")

    assert team.store(signer=None).get("source", key) == b"archive"
    assert team.store(signer=None).holds("source", key)


def test_a_blob_of_another_digest_is_not_used_and_is_said(team: Team) -> None:
    team.store().put("built", KEY, b"wheel")
    path = team.folder / blob_name(digest.sha256(b"wheel"))
    path.write_bytes(b"whale")

    assert team.store().get("built", KEY) is None
    assert "another digest" in team.progress.warnings[0]


def test_the_record_of_a_key_that_is_not_trusted_is_not_used_and_is_said_once(team: Team) -> None:
    team.store(signer=THEIRS).put("built", KEY, b"evil")

    store = team.store()
    assert store.get("built", KEY) is None
    assert store.get("built", KEY) is None
    assert not store.holds("built", KEY)
    assert len(team.progress.warnings) == 1
    assert THEIRS.public.id in team.progress.warnings[0]


def test_who_is_not_trusted_cannot_stand_in_the_way(team: Team) -> None:
    team.store(signer=THEIRS).put("built", KEY, b"evil")
    team.store().put("built", KEY, b"wheel")

    assert team.store(signer=None, trusted=(OURS,)).get("built", KEY) == b"wheel"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text[: len(text) // 2], "cut short"),
        (lambda text: text.replace(b'"size": 5', b'"size": 6'), "not signed by the key team"),
        (lambda text: json.dumps({**json.loads(text), "signature": ""}).encode(), "is not signed"),
        (lambda text: json.dumps({**json.loads(text), "schema": 2, "more": 1}).encode(), "newer layerforge"),
        (lambda text: json.dumps({**json.loads(text), "key": "cd" * 32}).encode(), "another key"),
        (lambda text: json.dumps({**json.loads(text), "signature": "é"}).encode(), "cut short or damaged"),
        (lambda text: b"[" * 60_000, "cut short or damaged"),
        (lambda text: text + b" " * records.MOST, "of which at most 65,536 are read; it is not used"),
    ],
)
def test_a_record_that_cannot_be_believed_is_not_used_and_the_reason_is_said(
    team: Team, change: object, says: str
) -> None:
    team.store().put("built", KEY, b"wheel")
    path = team.record_file()
    assert callable(change)
    path.write_bytes(change(path.read_bytes()))

    assert team.store().get("built", KEY) is None
    assert says in team.progress.warnings[0]


@pytest.mark.parametrize("blob", [False, True])
def test_what_stands_in_place_of_an_object_is_said_once_and_all_others_are_used(team: Team, blob: bool) -> None:
    other = "cd" * 32
    team.store().put("built", KEY, b"wheel")
    team.store().put("built", other, b"other")
    path = team.folder / blob_name(digest.sha256(b"wheel")) if blob else team.record_file()
    path.unlink()
    path.symlink_to("/dev/zero")

    store = team.store()
    lenient = LenientStore(store=store, progress=team.progress)
    assert lenient.get("built", KEY) is None
    assert not lenient.holds("built", KEY)
    lenient.put("built", KEY, b"wheel")
    assert lenient.get("built", other) == b"other"
    assert lenient.shared
    assert "a link, which is not followed; it is not used" in team.progress.warnings[0]
    assert len(team.progress.warnings) == 1 + blob
    assert not blob or "but not its bytes" in team.progress.warnings[1]


def test_a_blob_is_read_no_further_than_its_record_says(team: Team) -> None:
    team.store().put("built", KEY, b"wheel")
    path = team.folder / blob_name(digest.sha256(b"wheel"))
    with path.open("ab") as file:
        file.truncate(3 * 2**30)

    assert team.store().get("built", KEY) is None
    assert "of which at most 5 are read" in team.progress.warnings[0]


def test_the_name_of_a_record_that_no_key_has_is_not_repeated(team: Team) -> None:
    place = team.folder / records.place("built", KEY, "\n\N{CHECK MARK} verified")
    place.parent.mkdir(parents=True)
    place.write_bytes(b"{}")

    assert team.store().get("built", KEY) is None
    assert team.progress.warnings == [
        "the store has values of nobody's key, which is not among the trusted ones: they are not used"
    ]


def test_a_folder_with_the_name_of_no_kind_holds_no_records(team: Team) -> None:
    place = team.folder / records.place("\x1b[31m\nodd-bundle", KEY, OURS.public.id)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"{}")

    assert list(far.entries(team.objects)) == []


def test_a_record_moved_to_another_key_or_kind_is_not_used(team: Team) -> None:
    team.store().put("built", KEY, b"wheel")
    other = "cd" * 32
    place = team.folder / records.place("built", other, OURS.public.id)
    place.parent.mkdir(parents=True)
    place.write_bytes(team.record_file().read_bytes())

    assert team.store().get("built", other) is None
    assert "another key" in team.progress.warnings[0]


def test_two_values_of_one_key_are_an_alarm_that_names_both_and_nothing_is_written_over(team: Team) -> None:
    team.store().put("built", KEY, b"wheel")

    with pytest.raises(ConflictError) as caught:
        team.store().put("built", KEY, b"whale")

    assert caught.value.exit_code == 5
    told = "\n".join(caught.value.details)
    assert digest.sha256(b"wheel") in told
    assert digest.sha256(b"whale") in told
    assert team.store().get("built", KEY) == b"wheel"


def test_two_trusted_keys_that_disagree_are_an_alarm_for_who_reads(team: Team) -> None:
    team.store().put("built", KEY, b"wheel")
    team.store(signer=THEIRS).put("built", KEY, b"whale")

    with pytest.raises(ConflictError):
        team.store(signer=None, trusted=(OURS, THEIRS)).get("built", KEY)


def test_what_may_differ_from_run_to_run_stays_as_the_first_gave_it(team: Team) -> None:
    team.store().put("verdict", KEY, b"1 ms")
    team.store().put("verdict", KEY, b"2 ms")

    assert team.store().get("verdict", KEY) == b"1 ms"


def test_bytes_that_were_lost_are_put_again_under_the_same_record(team: Team) -> None:
    team.store().put("built", KEY, b"wheel")
    (team.folder / blob_name(digest.sha256(b"wheel"))).unlink()
    assert team.store().get("built", KEY) is None

    team.store().put("built", KEY, b"wheel")
    assert team.store().get("built", KEY) == b"wheel"


def test_without_a_signing_key_nothing_is_put(team: Team) -> None:
    store = team.store(signer=None)
    store.put("built", KEY, b"wheel")
    store.put("source", digest.sha256(b"x"), b"x")

    assert not team.folder.exists()


def test_what_speaks_of_one_machine_does_not_go_far(team: Team) -> None:
    team.store().put("no-image", KEY, b"x")
    team.store().put("built", "../../../etc", b"x")

    assert not team.folder.exists()
    assert team.store().get("built", "../../../etc") is None
    assert not team.store().holds("no-image", KEY)


def test_a_store_of_a_later_schema_is_refused_at_once(team: Team) -> None:
    team.store().check()
    team.store().put("built", KEY, b"wheel")
    team.store().check()
    (team.folder / MARK).write_text('{"schema": 2}')

    with pytest.raises(FarStoreError, match="cannot be understood"):
        team.store().check()


@given(
    value=st.binary(max_size=100),
    seconds=st.one_of(st.integers(0, 10**6), st.floats(0, 1e6, allow_nan=False)),
    versions=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
)
def test_any_record_reads_as_it_was_signed_and_not_with_one_bit_more(
    value: bytes, seconds: float, versions: dict[str, str]
) -> None:
    made = Made(seconds=seconds, versions=versions)
    record = Record(kind="built", key=KEY, sha256=digest.sha256(value), size=len(value), made=made, signer="")
    try:
        text = records.signed(record, OURS)
    except UnicodeEncodeError:
        return
    found = records.read(text, "built", KEY, OURS.public)

    assert replace(found, signature="", signer="") == record
    with pytest.raises(UnusableError):
        records.read(text, "built", KEY, THEIRS.public)


def test_every_kind_that_has_to_be_the_same_goes_far() -> None:
    assert far.SAME <= far.KINDS


@dataclass
class Failing:
    """A store whose place fails from a moment on."""

    error: FarStoreError | None = None
    calls: int = 0
    values: dict[tuple[str, str], bytes] = field(default_factory=dict)
    shared: bool = True

    def _call(self) -> None:
        self.calls += 1
        if self.error:
            raise self.error

    def get(self, kind: str, key: str) -> bytes | None:
        self._call()
        return self.values.get((kind, key))

    def holds(self, kind: str, key: str) -> bool:
        self._call()
        return (kind, key) in self.values

    def put(self, kind: str, key: str, value: bytes, made: Made | None = None) -> None:
        self._call()
        self.values[kind, key] = value


def test_a_build_goes_on_without_a_place_that_fails_in_the_middle_and_says_so_once() -> None:
    failing, progress = Failing(values={("built", KEY): b"v"}), FakeProgress()
    store = LenientStore(store=failing, progress=progress)
    assert store.get("built", KEY) == b"v"

    failing.error = FarStoreError("the credentials have expired", hint="renew them")
    assert store.get("built", KEY) is None
    assert not store.holds("built", KEY)
    assert failing.calls == 2
    assert progress.warnings == ["the credentials have expired; what it may have is made here (renew them)"]


def test_a_place_that_takes_nothing_is_read_all_the_same() -> None:
    failing, progress = Failing(error=FarReadOnlyError("no right to write")), FakeProgress()
    store = LenientStore(store=failing, progress=progress)
    store.put("built", KEY, b"v")
    store.put("built", KEY, b"v")
    failing.error = None
    failing.values["built", KEY] = b"w"

    assert store.get("built", KEY) == b"w"
    assert progress.warnings == ["no right to write; it is read all the same"]


def test_an_alarm_is_never_passed_over() -> None:
    failing = Failing()
    failing.put = lambda *_: (_ for _ in ()).throw(ConflictError("two"))  # type: ignore[method-assign]

    with pytest.raises(ConflictError):
        LenientStore(store=failing, progress=FakeProgress()).put("built", KEY, b"v")


def test_what_lies_behind_is_kept_near_and_what_is_made_goes_behind(team: Team, tmp_path: Path) -> None:
    one = DiskStore(root=tmp_path / "one", progress=team.progress, behind=team.store())
    other = DiskStore(root=tmp_path / "other", progress=team.progress, behind=team.store())
    one.put("built", KEY, b"wheel", Made(seconds=2.0))

    assert other.holds("built", KEY)
    assert not other.lies_near("built", KEY)
    assert other.get("built", KEY) == b"wheel"
    assert other.lies_near("built", KEY)
    assert one.made("built", KEY) == Made(seconds=2.0)
    assert other.made("built", KEY) is None
    assert one.shared


def test_a_value_that_was_damaged_near_comes_from_behind_again(team: Team, tmp_path: Path) -> None:
    one = DiskStore(root=tmp_path / "one", progress=team.progress, behind=team.store())
    one.put("built", KEY, b"wheel")
    (file,) = (path for path in (one.folder / "values").rglob(KEY) if path.is_file())
    file.write_bytes(b"whale" * 20)

    assert one.get("built", KEY) == b"wheel"
    assert one.near("built", KEY) == b"wheel"


@pytest.mark.parametrize("filled", [False, True])
def test_a_place_that_holds_nothing_and_is_only_read_is_said(tmp_path: Path, filled: bool) -> None:
    progress = FakeProgress()
    if filled:
        FarStore(objects=FolderObjects(root=tmp_path), progress=progress, signer=OURS).put("built", KEY, b"wheel")
    sharing.opened(Sharing(place=str(tmp_path), trusted=(OURS.public.text,)), progress)
    sharing.opened(Sharing(place=str(tmp_path / "new"), signing_key=OURS.text), progress)

    said = [f"{tmp_path} holds nothing yet: if others use it, is the address right?"]
    assert progress.warnings == ([] if filled else said)


def test_the_reason_of_a_failure_is_part_of_what_is_said_of_it(team: Team) -> None:
    (team.folder / "records").mkdir(parents=True)
    (team.folder / "records/built").write_text("in the way")

    LenientStore(store=team.store(), progress=team.progress).put("built", KEY, b"wheel")
    assert str(team.folder / "records/built") in team.progress.warnings[0]
