//! One door to SQLite and PostgreSQL: read(), write(), migrations, test databases.
