//! Both sets of migrations lead to the same tables.

use crm_bridge::MIGRATIONS;
use db_kit::schema_report;
use db_kit::testing::{TestDatabase, block_on};

#[test]
fn both_databases_have_the_same_migrations_and_the_same_tables() {
    block_on(async {
        let (sqlite, postgres) = MIGRATIONS.names().unwrap();
        assert_eq!(sqlite, postgres);
        let sqlite = TestDatabase::sqlite(&MIGRATIONS).await.read(schema_report).await.unwrap();
        let postgres = TestDatabase::postgres(&MIGRATIONS).await.read(schema_report).await.unwrap();
        assert_eq!(sqlite, postgres);
        let tables: Vec<&str> =
            sqlite.keys().map(String::as_str).filter(|name| !name.starts_with("__")).collect();
        assert_eq!(
            tables,
            [
                "address_links",
                "audit_customers",
                "audit_head",
                "audit_log",
                "cards",
                "crm_addresses",
                "crm_keys",
                "crm_orders",
                "crm_tokens",
                "crm_webhooks",
                "customer_changes",
                "customers",
                "deliveries",
                "looks",
                "notices",
                "policy_activations",
                "policy_approvals",
                "policy_versions",
                "tallies",
                "ticket_feed",
                "ticket_feed_head",
                "ticket_links",
                "tickets",
                "viewed_customers",
                "viewing_budgets",
            ]
        );
    });
}
