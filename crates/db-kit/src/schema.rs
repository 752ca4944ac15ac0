//! What tables a database really has, in terms that are the same for both databases.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use crate::{AnyConnection, DbError, on_both};

/// Tables, their columns, and what each column holds.
pub type SchemaReport = BTreeMap<String, BTreeMap<String, Column>>;

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What kind of value it holds.
    pub class: TypeClass,
    /// Whether it may hold none.
    pub nullable: bool,
}

/// A kind of value, whatever its name in either database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeClass {
    /// Any text.
    Text,
    /// Any whole number.
    Integer,
    /// Any floating-point number.
    Float,
    /// True or false.
    Bool,
    /// Bytes.
    Binary,
    /// A point in time.
    Timestamp,
    /// JSON kept as such.
    Json,
    /// PostgreSQL's `tsvector`.
    Search,
    /// Anything else, by its declared name.
    Other(String),
}

impl TypeClass {
    fn of(declared: &str) -> Self {
        let declared = declared.to_lowercase();
        let base = declared.split('(').next().unwrap_or_default().trim();
        match base {
            "text" | "varchar" | "character varying" | "char" | "character" => Self::Text,
            "integer" | "int" | "bigint" | "smallint" => Self::Integer,
            "real" | "double" | "double precision" | "float" => Self::Float,
            "boolean" | "bool" => Self::Bool,
            "blob" | "bytea" => Self::Binary,
            "timestamp" | "datetime" | "timestamp without time zone" | "timestamp with time zone" => {
                Self::Timestamp
            }
            "json" | "jsonb" => Self::Json,
            "tsvector" => Self::Search,
            other => Self::Other(other.to_owned()),
        }
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    declared: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
}

// Virtual tables and their shadows (full text) exist on SQLite only and are left out. SQLite lets NULL into a
// `TEXT PRIMARY KEY` unless it is declared NOT NULL, and that is what is reported.
const SQLITE: &str = "SELECT l.name AS table_name, c.name AS column_name, c.type AS declared, \
     (c.\"notnull\" = 0 AND NOT (c.pk > 0 AND (l.wr = 1 OR upper(c.type) = 'INTEGER'))) AS nullable \
     FROM pragma_table_list AS l JOIN pragma_table_info(l.name) AS c \
     WHERE l.schema = 'main' AND l.type = 'table' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
     AND l.name <> '__diesel_schema_migrations'";

const POSTGRES: &str = "SELECT c.table_name::text, c.column_name::text, c.data_type::text AS declared, \
     (c.is_nullable = 'YES') AS nullable \
     FROM information_schema.columns AS c \
     JOIN information_schema.tables AS t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
     WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' \
     AND c.table_name <> '__diesel_schema_migrations'";

/// Reads the schema out of the database itself, so that a test can compare the two migration sets with each other and
/// refuse a column that must not exist.
pub fn schema_report(conn: &mut AnyConnection) -> Result<SchemaReport, DbError> {
    let rows: Vec<Row> = on_both!(
        conn,
        sqlite | conn | diesel::sql_query(SQLITE).load(conn),
        postgres | conn | diesel::sql_query(POSTGRES).load(conn),
    )?;
    let mut report = SchemaReport::new();
    for row in rows {
        let column = Column { class: TypeClass::of(&row.declared), nullable: row.nullable };
        report.entry(row.table_name).or_default().insert(row.column_name, column);
    }
    Ok(report)
}
