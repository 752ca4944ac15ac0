//! The copy of the customer base and its progress, on both databases.

use crm_bridge::store::sync::mirror::{Row, ShortHash};
use crm_bridge::store::sync::{Feed, MIGRATIONS, Phase, SyncStore};
use db_kit::testing::{StartOn, TestDatabase};
use db_kit::{Backend, both_databases, schema_report};
use service_kit::Timestamp;

struct Copy {
    store: SyncStore,
    _database: TestDatabase,
}

impl StartOn for Copy {
    async fn start_on(backend: Backend) -> Self {
        let database = TestDatabase::new(backend, &MIGRATIONS).await;
        Self { store: SyncStore::new(database.database().clone()), _database: database }
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn row(id: u32, word: &str, addresses: &[i64]) -> Row {
    Row {
        crm_id: format!("c{id}"),
        sealed: word.as_bytes().to_vec(),
        as_of: at(5),
        addresses: addresses.iter().copied().map(ShortHash).collect(),
    }
}

async fn found(store: &SyncStore, address: i64) -> Vec<String> {
    let rows = store.find_rows(ShortHash(address), 10).await.unwrap();
    let mut found: Vec<String> = rows
        .iter()
        .map(|kept| format!("{}={}", kept.crm_id, String::from_utf8_lossy(&kept.sealed)))
        .collect();
    found.sort();
    found
}

both_databases! {
    async fn a_copy_is_complete_when_its_pages_are_and_customers_who_moved_between_them_are_there_once(copy: Copy) {
        let store = &copy.store;
        let feed = |mark: &str| Feed { mark: Some(mark.into()), ..Feed::new(Phase::First, "plan") };
        store.append_page("person", feed("2"), "h1", vec![row(1, "old", &[11]), row(2, "b", &[12, 13])]).await.unwrap();
        assert_eq!(store.feed("person").await.unwrap().unwrap().mark.as_deref(), Some("2"), "a restart goes on from there");
        store.append_page("person", feed("3"), "h1", vec![row(3, "c", &[13]), row(1, "new", &[11])]).await.unwrap();
        store.append_page("person", feed("4"), "h1", vec![]).await.unwrap();
        store.finish_copy("person", feed("end")).await.unwrap();
        assert_eq!(store.rows().await.unwrap(), 3);
        assert_eq!(found(store, 11).await, ["c1=new"]);
        assert_eq!(found(store, 13).await, ["c2=b", "c3=c"]);
        assert_eq!(store.feed("person").await.unwrap().unwrap().phase, Phase::Delta);
    }

    async fn everybody_of_a_large_copy_is_found_by_each_of_their_addresses(copy: Copy) {
        const SHARED: i64 = 0x4000_0000_0000_0000;
        let store = &copy.store;
        let feed = Feed::new(Phase::First, "plan");
        // Spread over all 63 bits, as hashes are.
        let own = |id: u32| i64::MAX / 1_000 * i64::from(id * 7 % 1_000);
        let page = |ids: std::ops::Range<u32>| ids.map(|id| row(id, "x", &[own(id), SHARED])).collect();
        for begin in [1, 300, 301, 600] {
            store.append_page("person", feed.clone(), "h", page(begin..(begin + 299).min(1_000))).await.unwrap();
        }
        store.finish_copy("person", feed.clone()).await.unwrap();
        for id in 1..1_000 {
            let wanted = if id > 898 { vec![] } else { vec![format!("c{id}=x")] };
            assert_eq!(found(store, own(id)).await, wanted, "{id}");
        }
        assert_eq!(store.find_rows(ShortHash(SHARED), 20).await.unwrap().len(), 20, "no more than asked for");
        let gone: Vec<String> = (1..890).map(|id| format!("c{id}")).collect();
        store.remove_rows(gone).await.unwrap();
        assert_eq!(found(store, own(5)).await, Vec::<String>::new());
        assert_eq!(found(store, own(890)).await, ["c890=x"]);
        assert_eq!(found(store, SHARED).await.len(), 9, "whoever is gone takes nobody's place");
        store.replace_rows(None, "h", 1, vec![row(890, "y", &[own(5)])]).await.unwrap();
        assert_eq!((found(store, own(5)).await, found(store, own(890)).await), (vec!["c890=y".to_owned()], vec![]));
        // Changed back, so that a block and a row say the same.
        store.replace_rows(None, "h", 1, vec![row(890, "z", &[own(890)])]).await.unwrap();
        assert_eq!((found(store, own(5)).await, found(store, own(890)).await), (vec![], vec!["c890=z".to_owned()]));
    }

    async fn changed_customers_are_found_by_what_they_have_now(copy: Copy) {
        let store = &copy.store;
        let feed = Feed::new(Phase::First, "plan");
        store.append_page("person", feed.clone(), "h1", vec![row(1, "a", &[11]), row(2, "b", &[12])]).await.unwrap();
        store.finish_copy("person", feed.clone()).await.unwrap();
        let progress = Some(("person".to_owned(), Feed { since: Some(at(9)), ..feed.clone() }));
        store.replace_rows(progress, "h2", 1, vec![row(2, "b2", &[22]), row(4, "d", &[12])]).await.unwrap();
        assert_eq!(found(store, 12).await, ["c4=d"]);
        assert_eq!(found(store, 22).await, ["c2=b2"]);
        assert_eq!(store.row("c2").await.unwrap().unwrap().policy_hash, "h2");
        assert_eq!(store.row("c1").await.unwrap().unwrap().policy_hash, "h1");
        store.remove_rows(vec!["c2".into()]).await.unwrap();
        assert_eq!((store.row("c2").await.unwrap(), found(store, 22).await), (None, vec![]));
        store.replace_rows(None, "h2", 2, vec![row(1, "a", &[11])]).await.unwrap();
        assert_eq!(store.unseen(2, 10).await.unwrap(), ["c4"]);
        store.clear_copy().await.unwrap();
        assert_eq!((store.rows().await.unwrap(), found(store, 11).await), (0, vec![]));
        store.append_page("person", feed.clone(), "h3", vec![row(1, "x", &[11]), row(1, "y", &[11])]).await.unwrap();
        store.finish_copy("person", feed).await.unwrap();
        assert_eq!(found(store, 11).await, ["c1=y"], "a copy can be begun anew");
    }

    async fn a_record_is_noted_once_however_often_it_is_said_to_have_changed(copy: Copy) {
        let store = &copy.store;
        for moment in 0..100 {
            store.hint(vec!["c1".into(), "c2".into()], at(moment), at(moment + 1_000), 3).await.unwrap();
        }
        assert_eq!(store.hint(vec!["c1".into(), "c3".into(), "c4".into()], at(100), at(1_100), 3).await.unwrap(), 2);
        assert_eq!(store.hints_waiting().await.unwrap(), 3, "no more than allowed wait");
        assert!(store.due_hints(at(999), 10).await.unwrap().is_empty());
        let due = store.due_hints(at(1_000), 10).await.unwrap();
        assert_eq!(due.len(), 2, "not put off by being said again");
        store.hint(vec![due[0].crm_id.clone()], at(1_001), at(2_000), 3).await.unwrap();
        store.hint_done(due[0].clone()).await.unwrap();
        store.hint_done(due[1].clone()).await.unwrap();
        assert_eq!(store.hints_waiting().await.unwrap(), 2, "what changed again meanwhile stays");
        let again = store.due_hints(at(1_001), 10).await.unwrap().remove(0);
        store.hint_failed(again.clone(), at(5_000), 2).await.unwrap();
        assert!(store.due_hints(at(1_001), 10).await.unwrap().is_empty());
        let later = store.due_hints(at(5_000), 10).await.unwrap().into_iter().find(|hint| hint.crm_id == again.crm_id);
        store.hint_failed(later.unwrap(), at(9_000), 2).await.unwrap();
        assert_eq!(store.hints_waiting().await.unwrap(), 1, "given up after the last attempt");
    }

    async fn one_process_at_a_time_follows_the_crm(copy: Copy) {
        let store = &copy.store;
        assert!(store.take_lease("sync", "one", at(0), at(10)).await.unwrap());
        assert!(!store.take_lease("sync", "two", at(9), at(19)).await.unwrap());
        assert!(store.take_lease("sync", "one", at(9), at(19)).await.unwrap());
        assert!(!store.take_lease("sync", "two", at(18), at(30)).await.unwrap());
        assert!(store.take_lease("sync", "two", at(19), at(30)).await.unwrap());
        store.end_lease("sync", "one").await.unwrap();
        assert!(!store.take_lease("sync", "one", at(20), at(30)).await.unwrap(), "only one's own can be given back");
        store.end_lease("sync", "two").await.unwrap();
        assert!(store.take_lease("sync", "one", at(20), at(30)).await.unwrap());
    }
}

#[test]
fn both_databases_have_the_same_tables() {
    db_kit::testing::block_on(async {
        let (sqlite, postgres) = MIGRATIONS.names().unwrap();
        assert_eq!(sqlite, postgres);
        let sqlite = TestDatabase::sqlite(&MIGRATIONS).await.read(schema_report).await.unwrap();
        let postgres = TestDatabase::postgres(&MIGRATIONS).await.read(schema_report).await.unwrap();
        assert_eq!(sqlite, postgres);
    });
}
