//! Lists that are cut into pages, links that lead elsewhere, limits that are told, and records behind ids.

use bridge_contract::ViewerRole;
use crm_bridge::connector::Connector;
use crm_bridge::connector::ask::{PageMark, Priority, Question};
use crm_bridge::connector::trouble::Trouble;
use crm_bridge::policy::Entity;
use db_kit::testing::block_on;
use serde_json::json;
use service_kit::Personal;
use tempfile::TempDir;

use crate::support::{Town, field, json_answer, status_answer};
use crate::wire::{Wire, people, profile, with_line, with_table};

const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The value of a query parameter.
fn parameter(request: &str, name: &str) -> Option<String> {
    let target = request.lines().next()?.split(' ').nth(1)?;
    let url = url::Url::parse(&format!("http://x{target}")).ok()?;
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn number(request: &str, name: &str) -> usize {
    parameter(request, name).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn cut(from: usize, size: usize) -> &'static [&'static str] {
    let from = from.min(IDS.len());
    IDS.get(from..(from + size).min(IDS.len())).unwrap_or_default()
}

async fn beside(crm: &Wire, paging: &str, page: &str) -> (Town, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let profile = profile(&folder, |text| {
        let text = with_table(&text, "paging", &format!("[paging]\n{paging}\n"));
        let changed = text.lines().find(|line| line.starts_with("changed ")).unwrap().to_owned();
        with_line(&text.replace(&changed, ""), "page ", &format!("page = {page}"))
    });
    (Town::on_sqlite(&crm.url, &[("CRM__PROFILE", &profile)]).await, folder)
}

async fn walk(connector: &Connector, size: u16) -> Result<Vec<String>, Trouble> {
    let (mut ids, mut mark) = (Vec::new(), None);
    loop {
        let question = Question::Page { entity: Entity::Person, size, mark };
        let found = connector.ask(question).await?;
        ids.extend(found.records.iter().filter_map(|record| record.id.clone()));
        // As after a restart: a mark is good as text.
        mark = found.next.as_ref().map(|mark| PageMark::from_text(&mark.to_text()).unwrap());
        if mark.is_none() {
            return Ok(ids);
        }
        assert!(ids.len() < 100, "pages without end");
    }
}

#[test]
fn every_kind_of_paging_gives_each_record_once() {
    block_on(async {
        type Answer = fn(&str) -> Vec<u8>;
        let cases: [(&str, &str, Answer); 8] = [
            (
                "kind = \"offset\"\nsize_max = 2",
                "{ get = \"/p\", query = { o = \"{offset}\", n = \"{size}\", f = \"{select:comma}\" } }",
                |request| people(cut(number(request, "o"), number(request, "n")), &json!({})),
            ),
            (
                "kind = \"page\"\nfirst = 1\nsize_max = 2",
                "{ get = \"/p\", query = { p = \"{page}\", n = \"{size}\", f = \"{select:comma}\" } }",
                |request| people(cut((number(request, "p") - 1) * 2, 2), &json!({})),
            ),
            (
                "kind = \"cursor\"\nnext = \"/next\"\nsize_max = 2",
                "{ get = \"/p\", query = { c = \"{cursor}\", f = \"{select:comma}\" } }",
                |request| {
                    let from = number(request, "c");
                    let next = if from + 2 < IDS.len() { json!(from + 2) } else { json!(null) };
                    people(cut(from, 2), &json!({ "next": next }))
                },
            ),
            (
                "kind = \"cursor\"\nnext = \"/next\"\nmore = \"/more\"\nsize_max = 2",
                "{ get = \"/p\", query = { c = \"{cursor}\", f = \"{select:comma}\" } }",
                |request| {
                    let from = number(request, "c");
                    people(
                        cut(from, 2),
                        &json!({ "next": (from + 2).to_string(), "more": from + 2 < IDS.len() }),
                    )
                },
            ),
            (
                "kind = \"next-link\"\nnext = \"/links/next\"\nkeys = [\"skip\"]\nsize_max = 2",
                "{ get = \"/p\", query = { f = \"{select:comma}\" } }",
                |request| {
                    let from = number(request, "skip");
                    let f = parameter(request, "f").unwrap();
                    let link = (from + 2 < IDS.len()).then(|| format!("/p?f={f}&skip={}", from + 2));
                    people(cut(from, 2), &json!({ "links": { "next": link } }))
                },
            ),
            (
                "kind = \"link-header\"\nkeys = [\"skip\"]\nsize_max = 2",
                "{ get = \"/p\", query = { f = \"{select:comma}\" } }",
                |request| {
                    let from = number(request, "skip");
                    let f = parameter(request, "f").unwrap();
                    let answer = String::from_utf8(people(cut(from, 2), &json!({}))).unwrap();
                    let link = format!(
                        "link: </p?f={f}>; rel=\"first\", </p?f={f}&skip={}>; rel=\"next\"\r\n",
                        from + 2
                    );
                    let link = if from + 2 < IDS.len() { link } else { String::new() };
                    answer.replacen("connection", &format!("{link}connection"), 1).into_bytes()
                },
            ),
            (
                "kind = \"keyset\"\nsize_max = 2",
                "{ get = \"/p\", query = { after = \"{last_id}\", f = \"{select:comma}\" } }",
                |request| {
                    let after = parameter(request, "after");
                    let from = after.map_or(0, |id| IDS.iter().position(|known| **known == id).unwrap() + 1);
                    people(cut(from, 2), &json!({}))
                },
            ),
            (
                "kind = \"range\"\nsize_max = 2",
                "{ get = \"/p\", headers = { Range = \"records={range}\" }, query = { f = \"{select:comma}\" } }",
                |request| {
                    let range =
                        request.lines().find_map(|line| line.strip_prefix("range: records=")).unwrap();
                    let from: usize = range.split('-').next().unwrap().parse().unwrap();
                    let answer = String::from_utf8(people(cut(from, 2), &json!({}))).unwrap();
                    let header = format!("206 Partial\r\ncontent-range: records {range}/5\r\n");
                    answer.replacen("200 OK\r\n", &header, 1).into_bytes()
                },
            ),
        ];
        for (paging, page, answer) in cases {
            let crm = Wire::answering(answer).await;
            let (town, _folder) = beside(&crm, paging, page).await;
            assert_eq!(walk(&town.bridge.connector, 2).await.unwrap(), IDS, "{paging}");
            assert_eq!(crm.with("GET").len(), 3, "{paging}");
        }
    });
}

#[test]
fn pages_in_a_circle_are_noticed() {
    block_on(async {
        for circle in [1, 2, 3, 7] {
            let crm = Wire::answering(move |request| {
                let next = number(request, "c") % circle + 1;
                people(&["a"], &json!({ "next": next }))
            })
            .await;
            let page = "{ get = \"/p\", query = { c = \"{cursor}\", f = \"{select:comma}\" } }";
            let (town, _folder) = beside(&crm, "kind = \"cursor\"\nnext = \"/next\"", page).await;
            assert_eq!(walk(&town.bridge.connector, 2).await.err(), Some(Trouble::PagingLoop), "{circle}");
            assert!(crm.with("GET").len() < 40, "{circle}: {}", crm.with("GET").len());
        }
    });
}

#[test]
fn pages_that_can_not_be_followed_are_not_the_end_of_the_list() {
    block_on(async {
        for (paging, page) in [
            (
                "kind = \"link-header\"\nmore = \"/more\"",
                "{ get = \"/p\", query = { f = \"{select:comma}\" } }",
            ),
            (
                "kind = \"cursor\"\nnext = \"/next\"\nmore = \"/more\"",
                "{ get = \"/p\", query = { c = \"{cursor}\", f = \"{select:comma}\" } }",
            ),
        ] {
            let crm = Wire::answering(|_| people(&["a", "b"], &json!({ "more": true }))).await;
            let (town, _folder) = beside(&crm, paging, page).await;
            assert_eq!(
                walk(&town.bridge.connector, 2).await.err(),
                Some(Trouble::UnexpectedShape),
                "{paging}"
            );
        }
    });
}

#[test]
fn a_next_page_elsewhere_is_never_asked_for() {
    block_on(async {
        let elsewhere = Wire::answering(|_| people(&["stolen"], &json!({}))).await;
        for link in [
            format!("{}/p?f=x", elsewhere.url),
            "//elsewhere.example/p".to_owned(),
            "/admin/export".to_owned(),
            "/p?f=iban,deals".to_owned(),
            "/p?with=deals".to_owned(),
        ] {
            let named = link.clone();
            let crm = Wire::answering(move |_| people(&["a"], &json!({ "next": named }))).await;
            let page = "{ get = \"/p\", query = { f = \"{select:comma}\" } }";
            let (town, _folder) = beside(&crm, "kind = \"next-link\"\nnext = \"/next\"", page).await;
            assert_eq!(walk(&town.bridge.connector, 2).await.err(), Some(Trouble::NextLink), "{link}");
            assert_eq!((crm.with("GET").len(), elsewhere.with("GET").len()), (1, 0), "{link}");
            assert!(!town.bridge.connector.is_paused(), "one odd list says nothing of the others");
        }
    });
}

#[test]
fn limits_are_told_by_status_code_and_header_and_errors_hide_in_answers() {
    block_on(async {
        let limits = "[limits]\nthrottled = [{ status = 503, at = \"/error\", is = [\"QUERY_LIMIT_EXCEEDED\"] }, \
                      { status = 403, at = \"/errorCode\", is = [\"REQUEST_LIMIT_EXCEEDED\"] }]\n\
                      wait = [{ header = \"X-Reset\", unit = \"epoch-s\" }]\n\n";
        let with = |status: &str, headers: &str, body: String| {
            format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
                .into_bytes()
        };
        let huge = format!("{{\"x\":\"{}\",\"error\":\"QUERY_LIMIT_EXCEEDED\"}}", "y".repeat(200_000));
        for (answer, trouble, pause_ms) in [
            (
                with("503 X", "", json!({ "error": "QUERY_LIMIT_EXCEEDED" }).to_string()),
                Trouble::RateLimited,
                5_000,
            ),
            (
                with(
                    "503 X",
                    "x-reset: 1795252350\r\n",
                    json!({ "error": "QUERY_LIMIT_EXCEEDED" }).to_string(),
                ),
                Trouble::RateLimited,
                30_000,
            ),
            (with("503 X", "", json!({ "error": "OTHER" }).to_string()), Trouble::ServerError, 0),
            (with("503 X", "", huge), Trouble::ServerError, 0),
            (
                with("403 X", "", json!([{ "errorCode": "REQUEST_LIMIT_EXCEEDED" }]).to_string()),
                Trouble::RateLimited,
                5_000,
            ),
            (
                with("403 X", "", json!([{ "errorCode": "INSUFFICIENT_ACCESS" }]).to_string()),
                Trouble::Credentials,
                0,
            ),
            (
                with("429 X", "retry-after: Sat, 21 Nov 2026 09:13:00 GMT\r\n", String::new()),
                Trouble::RateLimited,
                60_000,
            ),
        ] {
            let crm = Wire::answering(move |_| answer.clone()).await;
            let folder = tempfile::tempdir().unwrap();
            let profile = profile(&folder, |text| {
                with_table(&text, "answer", &format!("{limits}[answer]\nrecords = \"/items\"\n"))
            });
            let town = Town::on_sqlite(&crm.url, &[("CRM__PROFILE", &profile)]).await;
            town.clock.advance_ms(0);
            let question = Question::ByEmail(Personal::new("a@x.example".to_owned()));
            assert_eq!(town.bridge.connector.ask(question).await.err(), Some(trouble), "{pause_ms}");
            assert_eq!(town.bridge.connector.pause_left_ms(), pause_ms, "{trouble:?}");
        }
    });
}

#[test]
fn what_nobody_waits_for_is_tried_again_and_a_person_is_not_kept_waiting() {
    block_on(async {
        let calls = std::rc::Rc::new(std::cell::Cell::new(0));
        let count = std::rc::Rc::clone(&calls);
        let crm = Wire::answering(move |_| {
            count.set(count.get() + 1);
            if count.get() % 3 == 0 { people(&["a"], &json!({})) } else { status_answer("500 X", "") }
        })
        .await;
        let town = Town::on_sqlite(&crm.url, &[("LIMITS__RETRY_PAUSE_MS", "1")]).await;
        let question = || Question::ByEmail(Personal::new("a@x.example".to_owned()));
        assert!(town.bridge.connector.ask_as(question(), Priority::Sync).await.is_ok());
        assert_eq!(calls.get(), 3);
        assert_eq!(town.bridge.connector.ask(question()).await.err(), Some(Trouble::ServerError));
        assert_eq!(calls.get(), 4);
    });
}

#[test]
fn the_company_behind_a_link_is_on_the_card_and_asked_for_once() {
    block_on(async {
        let crm = Wire::answering(|request| {
            if request.starts_with("GET /firms/f1") {
                assert!(request.contains("fields=id%2Cname"), "{request}");
                return json_answer(
                    &json!({ "id": "f1", "name": "Volga", "iban": "DE89370400440532013000" }),
                );
            }
            let person = json!({ "id": "a", "email": "a@x.example", "full_name": "Ann", "firm": "f1" });
            json_answer(&if request.contains("/contacts/") {
                person.clone()
            } else {
                json!({ "items": [person] })
            })
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let profile = profile(&folder, |text| {
            let company = "[company]\nlink = \"/firm\"\nid = \"/id\"\n\
                           one = { get = \"/firms/{id}\", query = { fields = \"{select:comma}\" } }\n";
            with_table(&text, "company", company)
        });
        let town = Town::on_sqlite(&crm.url, &[("CRM__PROFILE", &profile)]).await;
        let customer_ref = town.matched(1, "a@x.example").await;
        for later in [false, true] {
            if later {
                town.later();
            }
            let (status, card) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
            assert_eq!(status, 200, "{card}");
            assert_eq!(field(&card, "company.name")["value"], "Volga", "later: {later}");
            assert!(!card.to_string().contains("DE8937"));
        }
        assert_eq!(crm.with("GET /firms/").len(), 2, "once for the look-up, once for the later card");
    });
}

#[test]
fn records_behind_ids_are_fetched_one_by_one_and_only_the_right_ones_count() {
    block_on(async {
        let crm = Wire::answering(|request| {
            if request.starts_with("POST /find") {
                return json_answer(&json!({ "result": { "CONTACT": [3, "7", { "id": 9 }] } }));
            }
            // A CRM that answers 7 with somebody else.
            let id = if request.contains("/contacts/3") { "3" } else { "8" };
            json_answer(&json!({ "id": id, "email": format!("{id}@x.example"), "full_name": "Ann" }))
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let profile = profile(&folder, |text| {
            let find = "by_email = { post = \"/find\", gives = \"ids\", json = { v = [\"{value}\"] }, answer = { records = \"/result/CONTACT\" } }";
            with_line(&text, "by_email", find)
        });
        let town = Town::on_sqlite(&crm.url, &[("CRM__PROFILE", &profile)]).await;
        let found = town
            .bridge
            .connector
            .ask(Question::ByEmail(Personal::new("3@x.example".to_owned())))
            .await
            .unwrap();
        let ids: Vec<_> = found.records.iter().filter_map(|record| record.id.clone()).collect();
        assert_eq!(ids, ["3"]);
    });
}
