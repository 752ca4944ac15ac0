//! A page of a list costs the same however many tickets there are: SQLite reads it from indexes, in order, and sorts
//! nothing. Not measured but asked of the engine, for an empty database and for one whose statistics it has gathered.

#[cfg(test)]
mod plans {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    use db_kit::Database;
    use db_kit::testing::TestDatabase;
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    use diesel::sql_types::Text;
    use service_kit::{Clock, Ids};
    use ticket_service::TicketError;
    use ticket_service::domain::actor::{KeyScope, ScopeSet};
    use ticket_service::domain::{Actor, Line, Priority, Role, Status};
    use ticket_service::store::search::Words;
    use ticket_service::store::tickets::{self, AssigneeFilter, Direction, Filter, PageStart, SortKey};
    use ticket_service::store::{MIGRATIONS, Store, search};
    use tracing::field::{Field, Visit};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    /// The statements that ran, as the log of slow statements has them when every statement counts as slow.
    #[derive(Clone, Default)]
    struct Statements(Arc<Mutex<Vec<String>>>);

    impl Statements {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    impl<S: tracing::Subscriber> Layer<S> for Statements {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            event.record(&mut OneStatement(&self.0));
        }
    }

    struct OneStatement<'a>(&'a Mutex<Vec<String>>);

    impl Visit for OneStatement<'_> {
        fn record_str(&mut self, field: &Field, value: &str) {
            if field.name() == "db.statement" {
                self.0.lock().unwrap().push(value.to_owned());
            }
        }

        fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
    }

    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }

    struct Desk {
        store: Store,
        statements: Statements,
        _database: TestDatabase,
    }

    impl Desk {
        async fn new() -> Self {
            let statements = Statements::default();
            let subscriber = tracing_subscriber::registry().with(statements.clone());
            tracing::subscriber::set_global_default(subscriber).unwrap();
            let database = TestDatabase::sqlite(&MIGRATIONS).await;
            let watched: Database = database.reopened(|config| config.slow_statement_ms = 0).await;
            let clock = Clock::system();
            let key = audit_log::chain::AuditKey::from_seed(&[7; 32]).unwrap();
            let store = Store::new(watched, clock.clone(), Ids::seeded(clock, 1), key);
            Self { store, statements, _database: database }
        }

        /// Some thousand tickets of a year, most of them done, and statistics of them.
        async fn fill(&self) {
            let fill =
                |conn: &mut db_kit::AnyConnection| conn.batch_execute(FILL).map_err(db_kit::DbError::from);
            self.store.database().write(fill).await.unwrap();
        }

        /// What SQLite does to run the one query that `work` runs.
        async fn plan_of<T: Send + 'static>(
            &self,
            actor: &Actor,
            work: impl FnOnce(&mut ticket_service::store::Scope<'_>) -> Result<T, TicketError> + Send + 'static,
        ) -> Vec<String> {
            self.statements.take();
            self.store.read(actor, work).await.unwrap();
            let mut ran = self.statements.take();
            ran.retain(|statement| statement.starts_with("SELECT"));
            assert_eq!(ran.len(), 1, "{ran:#?}");
            let question = format!("EXPLAIN QUERY PLAN {}", ran.concat());
            let steps = self.store.database().read(move |conn| {
                diesel::sql_query(question).load::<Step>(conn).map_err(db_kit::DbError::from)
            });
            steps.await.unwrap().into_iter().map(|step| step.detail).collect()
        }
    }

    const FILL: &str = "
        INSERT INTO queues VALUES ('que_a', 'A', 'a', 1, 1), ('que_b', 'B', 'b', 2, 1);
        INSERT INTO operators VALUES ('opr_me', 'm', 'm', 'Me', 'line1', '', NULL, 1, 0, 1);
        INSERT INTO requesters VALUES ('rqr_a', 'A', 'a', 'a', NULL, 0), ('rqr_b', 'B', 'b', 'b', NULL, 0);
        WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 5000)
        INSERT INTO tickets (subject, status, is_open, priority, priority_rank, line, queue_id, assignee_id,
            requester_id, channel, tags, customer_state, created_at, updated_at, last_message_at, last_request_at,
            version)
        SELECT 'Subject', CASE WHEN n % 9 = 0 THEN 'open' ELSE 'closed' END, n % 9 = 0, 'normal', n % 4, 1 + n % 3,
            CASE WHEN n % 7 = 0 THEN 'que_a' ELSE 'que_b' END, CASE WHEN n % 11 = 0 THEN 'opr_me' END,
            CASE WHEN n % 5 = 0 THEN 'rqr_a' ELSE 'rqr_b' END, 'api', '[]', 'none', n, n * 2, n, n, 1
        FROM counted;
        ANALYZE;";

    fn actors() -> Vec<(&'static str, Actor)> {
        let scopes = ScopeSet::of(vec![KeyScope::TicketsRead]);
        vec![
            ("a supervisor", Actor::operator("opr_me", "Me", Role::Supervisor)),
            ("an operator", Actor::operator("opr_me", "Me", Role::Line1)),
            ("a program", Actor::api_key("key_1", "Program", Role::Line1, scopes)),
        ]
    }

    fn filters() -> Vec<(&'static str, Filter)> {
        let open = || Filter { open: Some(true), ..Filter::default() };
        let me = AssigneeFilter::Operator("opr_me".into());
        vec![
            ("everything", Filter::default()),
            (
                "the inbox",
                Filter { line: Some(Line::FIRST), assignee: Some(AssigneeFilter::Nobody), ..open() },
            ),
            ("what is mine", Filter { assignee: Some(me.clone()), ..open() }),
            (
                "what was mine",
                Filter { assignee: Some(me), statuses: vec![Status::Closed], ..Filter::default() },
            ),
            ("a line", Filter { line: Some(Line::FIRST), ..open() }),
            ("two statuses", Filter { statuses: vec![Status::New, Status::Closed], ..Filter::default() }),
            ("what is urgent", Filter { priority: Some(Priority::Urgent), ..Filter::default() }),
        ]
    }

    const SORTS: [SortKey; 3] = [SortKey::Updated, SortKey::Created, SortKey::Priority];

    /// Every list, first page and deep page, must be free of sorting and of walks over all tickets.
    async fn check_all(desk: &Desk, state: &str) {
        let mut cases = Vec::new();
        for (who, actor) in actors() {
            for (what, filter) in filters() {
                for sort in SORTS {
                    cases.push((format!("{who} lists {what}"), actor.clone(), filter.clone(), sort));
                }
            }
            let of_queue = Filter { queue_id: Some("que_a".into()), ..Filter::default() };
            let of_requester = Filter { requester_id: Some("rqr_a".into()), ..Filter::default() };
            for (what, filter) in [("a queue", of_queue), ("a requester's", of_requester)] {
                cases.push((format!("{who} lists {what}"), actor.clone(), filter, SortKey::Updated));
            }
        }
        for (case, actor, filter, sort) in cases {
            for direction in [Direction::Descending, Direction::Ascending] {
                for start in [None, Some(PageStart { key: 2, number: 15_000 })] {
                    let filter = filter.clone();
                    let page = move |scope: &mut ticket_service::store::Scope<'_>| {
                        tickets::page(scope, &filter, (sort, direction), start, 51)
                    };
                    let plan = desk.plan_of(&actor, page).await;
                    let case = format!("{case} by {sort:?} {direction:?} from {start:?}, {state}");
                    check(&case, &plan);
                }
            }
        }
    }

    fn check(case: &str, plan: &[String]) {
        let bad: Vec<&String> = plan
            .iter()
            .filter(|step| step.contains("TEMP B-TREE") || step.starts_with("SCAN tickets"))
            .collect();
        assert!(bad.is_empty(), "{case}: {bad:?} in {plan:#?}");
        let searched = plan.iter().any(|step| step.starts_with("SEARCH tickets USING INTEGER PRIMARY KEY"));
        assert!(searched, "{case}: the rows of the page are not fetched by their numbers: {plan:#?}");
    }

    #[tokio::test]
    async fn pages_are_read_in_order_and_never_sorted() {
        let desk = Desk::new().await;
        check_all(&desk, "without statistics").await;
        desk.fill().await;
        check_all(&desk, "with statistics").await;
        search_checks_the_reach_of_hits_only(&desk).await;
        a_deep_page_goes_on_where_the_last_one_ended(&desk).await;
    }

    async fn search_checks_the_reach_of_hits_only(desk: &Desk) {
        for (who, actor) in actors() {
            let hits = |scope: &mut ticket_service::store::Scope<'_>| {
                search::hits(scope, &Words::of("coupling stuck").unwrap(), None, 51)
            };
            let plan = desk.plan_of(&actor, hits).await;
            let first = plan.first().cloned().unwrap_or_default();
            assert!(first.contains("ticket_search VIRTUAL TABLE"), "{who}: {plan:#?}");
            assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{who}: {plan:#?}");
        }
    }

    /// The pages together are the list: each ticket once, in order, within the reach.
    async fn a_deep_page_goes_on_where_the_last_one_ended(desk: &Desk) {
        let (_, actor) = actors().swap_remove(1);
        for sort in SORTS {
            for direction in [Direction::Descending, Direction::Ascending] {
                let mut seen: Vec<(i64, i64)> = Vec::new();
                let mut start = None;
                loop {
                    let page = move |scope: &mut ticket_service::store::Scope<'_>| {
                        tickets::page(scope, &Filter::default(), (sort, direction), start, 100)
                    };
                    let rows = desk.store.read(&actor, page).await.unwrap();
                    assert!(rows.iter().all(|row| {
                        row.ticket.line == Line::FIRST || row.ticket.assignee_id.as_deref() == Some("opr_me")
                    }));
                    seen.extend(rows.iter().map(|row| (row.sort_key(sort), row.ticket.number)));
                    let Some(last) = rows.last() else { break };
                    start = Some(PageStart { key: last.sort_key(sort), number: last.ticket.number });
                }
                let mut expected = seen.clone();
                expected.sort_unstable();
                if direction == Direction::Descending {
                    expected.reverse();
                }
                assert_eq!(seen, expected, "{sort:?} {direction:?}");
                // 1666 tickets of the first line, and a third and a third of the 454 that are mine.
                let distinct: BTreeSet<i64> = seen.iter().map(|(_, number)| *number).collect();
                assert_eq!((seen.len(), distinct.len()), (1969, 1969), "{sort:?} {direction:?}");
            }
        }
    }
}
