"""The API definition: its generated code is current, its conventions are kept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).parents[3]
PROTO = ROOT / "proto/trimtab/v1/trimtab.proto"


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_generated_code_is_current(tmp_path: Path) -> None:
    """The committed Python code is what proto/generate.sh writes, byte for byte."""
    subprocess.run(
        [ROOT / "proto/generate.sh", tmp_path],
        check=True,
        env={**os.environ, "PYTHON": sys.executable},
    )
    generated = contents(tmp_path / "trimtab/edges/pb")
    assert len(generated) == 7
    assert contents(ROOT / "python/trimtab/edges/pb") == generated, "run: make proto"


def test_generating_fails_whole(tmp_path: Path) -> None:
    """Without its tools the script says which, and leaves the code as it was."""
    code = tmp_path / "trimtab/edges/pb/code.py"
    code.parent.mkdir(parents=True)
    code.write_text("as it was")
    bare = tmp_path / "bare-python"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    done = subprocess.run(
        [ROOT / "proto/generate.sh", tmp_path],
        check=False,
        env={**os.environ, "PYTHON": str(bare)},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "lacks grpcio-tools or mypy-protobuf" in done.stderr
    assert code.read_text() == "as it was"


@pytest.fixture(scope="module")
def definition(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorProto:
    """The parsed definition with its comments."""
    out = tmp_path_factory.mktemp("proto") / "set.bin"
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={ROOT / 'proto'}"),
            *(f"--descriptor_set_out={out}", "--include_source_info", str(PROTO)),
        ],
        check=True,
    )
    files: list[FileDescriptorProto] = list(FileDescriptorSet.FromString(out.read_bytes()).file)
    return next(file for file in files if file.package == "trimtab.v1")


def test_everything_is_commented(definition: FileDescriptorProto) -> None:
    """Every message, field, enum, value, service and call says in a comment what it is."""
    # Path numbers: 4 message (2 field, 8 oneof), 5 enum (2 value), 6 service (2 method).
    kinds = {(4,), (4, 2), (4, 8), (5,), (5, 2), (6,), (6, 2)}
    maps = {
        (4, index, 3, inner)
        for index, message in enumerate(definition.message_type)
        for inner, _ in enumerate(message.nested_type)
    }
    optional = {  # proto3 keeps a synthetic oneof for each optional field
        (4, index, 8, field.oneof_index)
        for index, message in enumerate(definition.message_type)
        for field in message.field
        if field.proto3_optional
    }
    seen = 0
    for location in definition.source_code_info.location:
        path = tuple(location.path)
        if path[::2] in kinds and path not in maps | optional:
            seen += 1
            line = location.span[0] + 1
            assert location.leading_comments.strip(), f"{PROTO}:{line} has no comment"
    assert seen > 120


def test_enums_follow_the_style_guide(definition: FileDescriptorProto) -> None:
    """Enum values carry the name of their enum, and the first says that nothing was said."""
    for enum in definition.enum_type:
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper()
        assert enum.value[0].name == f"{prefix}_UNSPECIFIED"
        assert enum.value[0].number == 0
        assert all(value.name.startswith(f"{prefix}_") for value in enum.value)


def test_calls_have_messages_of_their_own(definition: FileDescriptorProto) -> None:
    """A call can grow without another: each takes <Call>Request and returns <Call>Response."""
    (service,) = definition.service
    for method in service.method:
        assert method.input_type == f".trimtab.v1.{method.name}Request"
        assert method.output_type == f".trimtab.v1.{method.name}Response"


def test_numbers_of_fields_are_used_or_reserved(definition: FileDescriptorProto) -> None:
    """A number once given is never free again, and names are lower_snake_case."""
    for message in definition.message_type:
        used = {field.number for field in message.field}
        reserved = {n for span in message.reserved_range for n in range(span.start, span.end)}
        assert used | reserved == set(range(1, len(used) + len(reserved) + 1))
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", field.name) for field in message.field)
