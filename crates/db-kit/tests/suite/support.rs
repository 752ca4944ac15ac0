//! Tables and helpers of the contract tests.

use db_kit::testing::{StartOn, TestDatabase};
use db_kit::{AnyConnection, Backend, Database, DbError, Migrations, embed_migrations};
use diesel::prelude::*;

pub(crate) static MIGRATIONS: Migrations = Migrations {
    sqlite: embed_migrations!("tests/migrations/sqlite"),
    postgres: embed_migrations!("tests/migrations/postgres"),
};

diesel::table! {
    things (id) {
        id -> Text,
        name -> Text,
        amount -> BigInt,
        flag -> Bool,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    parts (number) {
        number -> BigInt,
        thing_id -> Text,
        weight -> Nullable<Double>,
        picture -> Nullable<Binary>,
    }
}

diesel::table! {
    jobs (id) {
        id -> Text,
        worker -> Nullable<Text>,
    }
}

/// A migrated database with the tables above.
pub(crate) struct Things(pub(crate) TestDatabase);

impl StartOn for Things {
    async fn start_on(backend: Backend) -> Self {
        Self(TestDatabase::new(backend, &MIGRATIONS).await)
    }
}

impl std::ops::Deref for Things {
    type Target = TestDatabase;

    fn deref(&self) -> &TestDatabase {
        &self.0
    }
}

pub(crate) fn insert(conn: &mut AnyConnection, id: &str, name: &str) -> Result<(), DbError> {
    diesel::insert_into(things::table)
        .values((things::id.eq(id), things::name.eq(name), things::flag.eq(true)))
        .execute(conn)?;
    Ok(())
}

pub(crate) async fn names(db: &Database) -> Vec<String> {
    db.read(|conn| things::table.order(things::name).select(things::name).load(conn).map_err(DbError::from))
        .await
        .unwrap()
}
