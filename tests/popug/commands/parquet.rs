//! Parquet files in other programs: pyarrow, Polars and DuckDB filter, sort and join by the columns of an export.

use crate::helpers::harness::Text::{Any, Nothing};
use crate::helpers::played::played;
use crate::helpers::python::python;

const CHECK: &str = "
import glob, sys
import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq

files = sorted(glob.glob(sys.argv[1] + '/*.parquet'))
assert len(files) == 14, files
kinds = set()
for path in files:
    table = pq.read_table(path)
    kinds |= {str(field.type) for field in table.schema}
    for field in table.schema:
        assert table.sort_by(field.name).num_rows == table.num_rows
        values = table[field.name].drop_null()
        if field.type != pa.string() or len(values) == 0:
            continue
        value = values[0]
        found = table.filter(pc.equal(table[field.name], value))
        assert found.num_rows == pc.sum(pc.equal(values, value)).as_py() > 0
        assert pq.read_table(path, filters=[(field.name, '==', value.as_py())]).equals(found)
        keys = table.select([field.name]).group_by(field.name).aggregate([([], 'count_all')])
        assert table.select([field.name]).join(keys, field.name, join_type='inner').num_rows == len(values)
print('\\n'.join(sorted(kinds)))
";

#[test]
fn pyarrow_filters_sorts_and_joins_every_column_of_an_export() {
    let world = played();
    world
        .call("ada", &["export", "--dir", "out", "--format", "parquet"])
        .expect(0, Nothing, Any);
    let exported = world.home().join("out");
    let kinds = python("pyarrow", CHECK, &[exported.as_os_str()]);
    let wanted = [
        "bool",
        "date32[day]",
        "decimal128(18, 1)",
        "decimal128(18, 2)",
        "int64",
        "string",
        "timestamp[us, tz=UTC]",
    ];
    assert_eq!(kinds.lines().collect::<Vec<_>>(), wanted);
}

const OTHERS: [(&str, &str); 2] = [
    (
        "polars",
        "
import glob, sys
import polars as pl

for path in sorted(glob.glob(sys.argv[1] + '/*.parquet')):
    table = pl.read_parquet(path)
    for name, kind in table.schema.items():
        assert table.sort(name).height == table.height
        values = table[name].drop_nulls()
        if kind == pl.String and len(values):
            assert table.filter(pl.col(name) == values[0]).height == (values == values[0]).sum() > 0
print('read')
",
    ),
    (
        "duckdb",
        "
import glob, sys
import duckdb

for path in sorted(glob.glob(sys.argv[1] + '/*.parquet')):
    table = duckdb.read_parquet(path)
    rows = len(table)
    for name, kind in zip(table.columns, table.types):
        assert len(table.order('\"' + name + '\"')) == rows
        assert str(kind) != 'BLOB', name
print('read')
",
    ),
];

#[test]
fn polars_and_duckdb_read_sort_and_filter_an_export() {
    let world = played();
    world
        .call("ada", &["export", "--dir", "out", "--format", "parquet"])
        .expect(0, Nothing, Any);
    let exported = world.home().join("out");
    for (package, check) in OTHERS {
        assert_eq!(
            python(package, check, &[exported.as_os_str()]),
            "read\n",
            "{package}"
        );
    }
}
