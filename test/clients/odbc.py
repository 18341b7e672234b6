"""Prints, as JSON, what PostgreSQL's ODBC driver says of schema oc_bi, and what the statements of standard input return.

Standard input: {"connection": <ODBC connection string>, "tables": [...], "statements": [...]}.
"""

import json
import sys

import pyodbc

NAMES = {
    getattr(pyodbc, name): name
    for name in dir(pyodbc)
    if name.startswith("SQL_") and name[4:].isupper() and isinstance(getattr(pyodbc, name), int)
    if name in {"SQL_VARCHAR", "SQL_WVARCHAR", "SQL_LONGVARCHAR", "SQL_WLONGVARCHAR", "SQL_BIGINT", "SQL_INTEGER", "SQL_SMALLINT",
                "SQL_NUMERIC", "SQL_TYPE_TIMESTAMP", "SQL_GUID", "SQL_BIT"}
}


def main() -> None:
    given = json.load(sys.stdin)
    connection = pyodbc.connect(given["connection"], autocommit=True)
    cursor = connection.cursor()
    columns, keys, joins, answers = {}, {}, {}, []
    for table in given["tables"]:
        columns[table] = {
            row.column_name: [NAMES.get(row.data_type, str(row.data_type)), row.column_size]
            for row in cursor.columns(schema="oc_bi", table=table)
        }
        keys[table] = [row.column_name for row in cursor.primaryKeys(schema="oc_bi", table=table)]
        joins[table] = sorted(
            f"{row.fkcolumn_name} -> {row.pktable_name}.{row.pkcolumn_name}"
            for row in cursor.foreignKeys(foreignSchema="oc_bi", foreignTable=table)
        )
    for statement in given["statements"]:
        try:
            cursor.execute(statement)
            answers.append([[None if value is None else str(value) for value in row] for row in cursor.fetchall()])
        except pyodbc.Error as error:
            answers.append(error.args[0])
    json.dump({"columns": columns, "keys": keys, "joins": joins, "answers": answers}, sys.stdout)


main()
