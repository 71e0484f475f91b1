"""The log of decisions: what is written can be read again, whatever happened meanwhile."""

from __future__ import annotations

import json
import logging
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edges.service.parts import REPORTS, make_report
from hypothesis import given

from trimtab.core.model import Report
from trimtab.edges.records import FileRecorder, from_json, read, to_json
from trimtab.errors import InvalidDocument, Refused


def strict(text: str) -> object:
    """JSON as RFC 8259 has it: without Python's NaN and Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


@given(report=REPORTS)
def test_a_report_comes_back_as_it_was(report: Report) -> None:
    """Any Report, written as strict JSON and read again, is equal to what was written."""
    assert from_json(strict(json.dumps(to_json(report)))) == report


def test_the_form_is_stable() -> None:
    """The names in a record are those of the core: a log written today is read tomorrow."""
    record = to_json(make_report("web", 1000.0))
    assert record["version"] == 1
    assert record["decision"]["policy"] == {
        "group": "trimtab.dev",
        "kind": "WeightPolicy",
        "namespace": "shop",
        "name": "web",
    }
    assert record["decision"]["shifts"][0]["granted"] == [50, 50]
    assert record["decision"]["reasons"] == [{"code": "Balanced", "message": "Nothing to do."}]
    assert record["decision"]["inputs"]["cds_a"] == {
        "start": 995.0,
        "end": 1000.0,
        "classes": {"2": 10},
        "timeouts": 0,
        "bounds_ms": [1.0, "Infinity"],
        "counts": [9, 1],
        "latency_sum_ms": 12.0,
        "in_flight": 0.0,
        "age_s": 0.0,
        "partial": False,
    }
    assert record["outcome"] == "unchanged"


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda r: r.update(version=2), "version: 2 is not 1. Remedy: read it with the version"),
        (lambda r: r.pop("version"), "version: None is not 1"),
        (lambda r: r.update(outcom="x"), "outcom: Unexpected keyword argument"),
        (lambda r: r["decision"].pop("at"), "decision.at: Field required"),
        (
            lambda r: r["decision"].update(action="jump"),
            (
                "decision.action: Input should be 'hold', 'shift', 'ramp', 'abort', 'promote' or "
                "'enforce'"
            ),
        ),
        (
            lambda r: r["decision"]["policy"].update(uid="x"),
            "decision.policy.uid: Extra inputs are not permitted",
        ),
        (
            lambda r: r["decision"]["shifts"][0]["route"].update(maximum="many"),
            "decision.shifts.0.route.maximum: Input should be a valid integer",
        ),
    ],
)
def test_an_odd_record_is_refused(edit: Callable[[dict[str, Any]], object], text: str) -> None:
    """A record with a field that is missing, wrong or unknown is refused by the field's name."""
    record = to_json(make_report())
    edit(record)
    with pytest.raises(InvalidDocument) as caught:
        from_json(record, "log.jsonl:7")
    assert str(caught.value).startswith(f"log.jsonl:7: {text}")


def test_what_is_no_object_is_refused() -> None:
    """A JSON value that is not an object is no record."""
    with pytest.raises(InvalidDocument, match="record: a list is no record of a Report"):
        from_json([])


def test_a_file_is_read_in_its_order(tmp_path: Path) -> None:
    """What is told is in the file at once, one line each, and a second run goes on after it."""
    path = tmp_path / "new" / "decisions.jsonl"
    told = [make_report("web", float(at)) for at in range(4)]
    first = FileRecorder(path)
    first.tell(told[0])
    assert list(read(path)) == told[:1]
    first.tell(told[1])
    first.close()
    second = FileRecorder(path)
    for report in told[2:]:
        second.tell(report)
    assert list(read(path)) == told
    assert len(path.read_text().splitlines()) == 4
    second.close()


def test_a_copied_and_truncated_file_goes_on(tmp_path: Path) -> None:
    """A rotation that truncates the file loses nothing and leaves no hole."""
    path = tmp_path / "decisions.jsonl"
    recorder = FileRecorder(path)
    recorder.tell(make_report("web", 1.0))
    os.truncate(path, 0)
    recorder.tell(make_report("web", 2.0))
    recorder.close()
    assert [report.decision.at for report in read(path)] == [2.0]


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    """After a line that was never finished the next stands by itself, and reading names the torn."""
    path = tmp_path / "decisions.jsonl"
    path.write_text('{"version":1,"deci')
    recorder = FileRecorder(path)
    recorder.tell(make_report())
    recorder.close()
    torn, whole = path.read_text().splitlines()
    assert torn == '{"version":1,"deci'
    assert from_json(json.loads(whole)) == make_report()
    with pytest.raises(InvalidDocument) as caught:
        list(read(path))
    assert str(caught.value).startswith(f"{path}:1: no JSON: ")
    assert "Remedy: delete the line" in str(caught.value)


def test_a_full_disk_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When the disk is full telling goes on, says so once, and says later how many were lost."""
    path = tmp_path / "decisions.jsonl"
    recorder = FileRecorder(path)
    recorder.tell(make_report("web", 1.0))
    good = recorder._file
    with Path("/dev/full").open("ab", buffering=0) as full:
        recorder._file = full
        for at in (2.0, 3.0, 4.0):
            recorder.tell(make_report("web", at))
    recorder._file = good
    recorder.tell(make_report("web", 5.0))
    recorder.tell(make_report("web", 6.0))
    recorder.close()
    messages = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert messages == [
        (
            logging.ERROR,
            f"Decisions are not recorded in {path}: [Errno 28] No space left on device",
        ),
        (logging.WARNING, f"3 decisions were not recorded in {path}"),
    ]
    assert [report.decision.at for report in read(path)] == [1.0, 5.0, 6.0]


def test_a_line_that_did_not_fit_spoils_no_other(tmp_path: Path) -> None:
    """When the disk takes a part of a line, that line is torn and the next ones are whole."""
    path = tmp_path / "decisions.jsonl"
    recorder = FileRecorder(path)
    recorder.tell(make_report("web", 1.0))
    size = path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
    try:
        recorder.tell(make_report("web", 2.0))  # a part of it fits
        recorder.tell(make_report("web", 3.0))  # nothing of it fits
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    recorder.tell(make_report("web", 4.0))
    recorder.tell(make_report("web", 5.0))
    recorder.close()
    first, torn, *rest = path.read_text().splitlines()
    assert len(torn) == 100
    kept = [from_json(json.loads(line)).decision.at for line in (first, *rest)]
    assert kept == [1.0, 4.0, 5.0]


def test_a_removed_policy_stays_in_the_file(tmp_path: Path) -> None:
    """What was decided for a policy that is no more can still be read."""
    recorder = FileRecorder(tmp_path / "decisions.jsonl")
    recorder.tell(make_report("web", 1.0))
    recorder.retain([])
    recorder.close()
    assert len(list(read(tmp_path / "decisions.jsonl"))) == 1


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """A file that cannot be opened is refused by its name, for writing and for reading."""
    with pytest.raises(Refused, match=f"Cannot record decisions in {tmp_path}: "):
        FileRecorder(tmp_path)
    missing = tmp_path / "missing.jsonl"
    with pytest.raises(Refused, match=f"{missing}: cannot be read: "):
        list(read(missing))
