"""What an interrupted build left may be damaged: one line with its path says what to remove."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from motionhub.data.build.shards import _changes


TABLE = pa.table({"source": ["a"], "mark": ["1"]})


@pytest.mark.parametrize(
    "forged",
    [
        TABLE,
        TABLE.replace_schema_metadata({"options": b"[1]"}),
        TABLE.replace_schema_metadata({"options": b"[" * 100_000}),
        pa.table({"x": [1]}).replace_schema_metadata({"options": b"{}"}),
        b"PAR1",
    ],
    ids=["no options", "a list", "deep", "other columns", "no parquet"],
)
def test_damaged_inputs_of_an_earlier_build_are_named(forged, tmp_path):
    path = tmp_path / "inputs.parquet"
    if isinstance(forged, bytes):
        path.write_bytes(forged)
    else:
        pq.write_table(forged, path)
    with pytest.raises(ValueError, match="are damaged; remove") as caught:
        _changes(path, ["a"], ["1"], {})
    assert str(caught.value).startswith(f"{path}: ") and len(str(caught.value)) < 400
    path.unlink()
    assert _changes(path, ["a"], ["1"], {"b": 1}) == []
    assert _changes(path, ["a"], ["2"], {"b": 2}) == ["b (option)", "a (changed)"]
