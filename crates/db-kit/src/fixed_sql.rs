//! Statements that a connection prepares once, although diesel would prepare them each time.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};

/// A statement whose text is always the same but for one list of values, such as an upsert or `UPDATE … SET (…) = (…)`.
///
/// diesel keeps no prepared `UPDATE` and no prepared upsert, because their text may be another each time, and preparing one
/// takes SQLite longer than running it. For those that run with every request. Run it on a connection of [`on_both!`](crate::on_both).
#[derive(Debug, Clone, Copy)]
pub struct FixedSql<Values> {
    /// The text up to the values.
    pub before: &'static str,
    /// A tuple of values, each with its type: `name.into_sql::<Text>()`. They come out separated by commas.
    pub values: Values,
    /// The text behind the values.
    pub after: &'static str,
}

impl<Values, DB> QueryFragment<DB> for FixedSql<Values>
where
    DB: Backend,
    Values: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        pass.push_sql(self.before);
        self.values.walk_ast(pass.reborrow())?;
        pass.push_sql(self.after);
        Ok(())
    }
}

/// It is filed by its text.
impl<Values> QueryId for FixedSql<Values> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Values, Conn> RunQueryDsl<Conn> for FixedSql<Values> {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use diesel::connection::{InstrumentationEvent, SimpleConnection};
    use diesel::sql_types::{BigInt, Text};

    use super::*;

    diesel::table! {
        tallies (name) {
            name -> Text,
            counted -> BigInt,
        }
    }

    #[test]
    fn a_fixed_statement_is_prepared_once_and_runs_with_the_values_of_each_time() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        conn.batch_execute("CREATE TABLE tallies (name TEXT PRIMARY KEY, counted BIGINT NOT NULL)").unwrap();
        let (prepared, count) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counter, counter_of_kept) = (Arc::clone(&count), Arc::clone(&prepared));
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| match event {
            InstrumentationEvent::CacheQuery { .. } => {
                counter_of_kept.fetch_add(1, Relaxed);
            }
            InstrumentationEvent::StartQuery { .. } => {
                counter.fetch_add(1, Relaxed);
            }
            _ => {}
        });
        for (name, counted) in [("a", 1_i64), ("b", 2), ("a", 3)] {
            let upsert = FixedSql {
                before: "INSERT INTO tallies (name, counted) VALUES (",
                values: (name.into_sql::<Text>(), counted.into_sql::<BigInt>()),
                after: ") ON CONFLICT (name) DO UPDATE SET counted = excluded.counted",
            };
            assert_eq!(upsert.execute(&mut conn), Ok(1));
        }
        assert_eq!((count.load(Relaxed), prepared.load(Relaxed)), (3, 1));
        let all: Vec<(String, i64)> = tallies::table.order(tallies::name).load(&mut conn).unwrap();
        assert_eq!(all, [("a".to_owned(), 3), ("b".to_owned(), 2)]);
    }
}
