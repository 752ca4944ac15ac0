//! Lists, counters and search.

use std::collections::BTreeSet;

use db_kit::both_databases;
use serde_json::{Value, json};

use crate::support::{Client, TestApp};
use crate::tickets::{open, path, request};

fn numbers(list: &Value) -> Vec<i64> {
    list["items"].as_array().unwrap().iter().map(|row| row["number"].as_i64().unwrap()).collect()
}

async fn listed(client: &Client, query: &str) -> Vec<i64> {
    numbers(&client.get(&format!("/tickets?{query}")).await.expect(200))
}

async fn found(client: &Client, words: &str) -> Vec<i64> {
    numbers(&client.get(&format!("/search?q={words}")).await.expect(200))
}

/// All pages of a list, two rows at a time.
async fn paged(client: &Client, query: &str) -> Vec<i64> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/tickets?{query}&limit=2{cursor}")).await.expect(200);
        all.extend(numbers(&page));
        let Some(next) = page["next_cursor"].as_str() else { return all };
        cursor = format!("&cursor={next}");
    }
}

both_databases! {
    async fn each_view_shows_what_its_name_says(app: TestApp) {
        app.leave_jobs();
        let (ann, boris) = (app.as_line1(), app.as_line2());
        let waiting = open(&ann, "Nobody has it").await;
        let mine = open(&ann, "Ann has it").await;
        open(&boris, "Second line").await;
        let done = open(&ann, "Done").await;
        let take = json!({ "assignee_id": "opr_ann" });
        ann.clone().if_match(1).patch(&path(&mine, ""), take).await.expect(200);
        ann.clone().if_match(1).patch(&path(&done, ""), json!({ "status": "resolved" })).await.expect(200);
        assert_eq!(listed(&ann, "view=inbox").await, [10_001]);
        assert_eq!(listed(&ann, "view=mine").await, [10_002]);
        assert_eq!(listed(&ann, "view=line1&sort=created&dir=asc").await, [10_001, 10_002]);
        assert_eq!(listed(&ann, "view=line2").await, Vec::<i64>::new());
        assert_eq!(listed(&ann, "view=all&sort=created").await, [10_004, 10_002, 10_001]);
        assert_eq!(listed(&ann, "view=line1&status=resolved,closed").await, [10_004]);
        assert_eq!(listed(&app.as_supervisor(), "view=all&sort=created").await, [10_004, 10_003, 10_002, 10_001]);
        assert_eq!(waiting["number"], 10_001);
        let counters = ann.get("/counters").await.expect(200);
        assert_eq!(counters, json!({ "inbox": 1, "mine": 1, "lines": { "1": 2 } }));
        let all = app.as_supervisor().get("/counters").await.expect(200);
        assert_eq!(all, json!({ "inbox": 2, "mine": 0, "lines": { "1": 2, "2": 1, "3": 0 } }));
    }

    async fn pages_join_without_gap_or_repetition_in_every_order(app: TestApp) {
        app.leave_jobs();
        let ann = app.as_line1();
        for (number, priority) in (1..=7).zip(["low", "high", "normal", "urgent", "normal", "high", "normal"]) {
            if number % 2 == 0 {
                app.advance_s(60);
            }
            let mut body = request(&format!("Number {number}"));
            body["priority"] = json!(priority);
            ann.post("/tickets", body).await.expect(201);
        }
        for sort in ["updated", "created", "priority"] {
            for dir in ["asc", "desc"] {
                let query = format!("view=inbox&sort={sort}&dir={dir}");
                let (whole, pages) = (listed(&ann, &query).await, paged(&ann, &query).await);
                assert_eq!(whole, pages, "{query}");
                assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 7, "{query}");
            }
        }
        let urgent_first = listed(&ann, "sort=priority").await;
        assert_eq!(urgent_first[..3], [10_004, 10_006, 10_002]);
    }

    async fn filters_narrow_a_view(app: TestApp) {
        app.leave_jobs();
        let ann = app.as_line1();
        let queue = app.as_admin().post("/queues", json!({ "name": "Printers" })).await.expect(201);
        open(&ann, "Plain").await;
        let mut body = request("Tagged");
        (body["tags"], body["priority"]) = (json!(["batch-05"]), json!("high"));
        body["queue_id"] = queue["id"].clone();
        ann.post("/tickets", body).await.expect(201);
        let mut other = request("Of somebody else");
        other["requester"] = json!({ "name": "Mia", "email": "mia@lab.example" });
        let other = ann.post("/tickets", other).await.expect(201);
        assert_eq!(listed(&ann, "tag=Batch-05").await, [10_002]);
        assert_eq!(listed(&ann, "priority=high").await, [10_002]);
        assert_eq!(listed(&ann, &format!("requester={}", other["requester"]["id"].as_str().unwrap())).await, [10_003]);
        assert_eq!(listed(&ann, "assignee=me").await, Vec::<i64>::new());
        let of_queue = format!("queue={}", queue["id"].as_str().unwrap());
        assert!(listed(&ann, &of_queue).await.contains(&10_002));
        assert_eq!(ann.get("/tags?prefix=ba").await.expect(200), json!(["batch-05"]));
        assert_eq!(app.as_line2().get("/tags").await.expect(200), json!([]), "tags of other lines stay there");
    }

    async fn a_ticket_is_bold_until_it_was_read(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let unread = |list: Value| list["items"][0]["unread"].as_bool().unwrap();
        assert!(unread(app.as_line1().get("/tickets").await.expect(200)));
        app.as_line1().put(&path(&ticket, "/read"), json!({})).await.expect(204);
        assert!(!unread(app.as_line1().get("/tickets").await.expect(200)));
        assert!(unread(app.as_other_line1().get("/tickets").await.expect(200)), "for everybody on their own");
    }

    async fn wrong_parameters_are_named(app: TestApp) {
        let ann = app.as_line1();
        for (query, field) in [
            ("view=everything", "view"), ("status=done", "status"), ("limit=101", "limit"), ("limit=0", "limit"),
            ("cursor=zzz", "cursor"), ("line=4", "line"), ("colour=red", "colour"), ("sort=age", "sort"),
        ] {
            let answer = ann.get(&format!("/tickets?{query}")).await;
            let problem = answer.problem(422, "invalid");
            assert_eq!(problem["errors"][0]["field"], field, "{query}: {problem}");
        }
    }

    async fn search_finds_words_in_subjects_messages_and_names_newest_first(app: TestApp) {
        app.leave_jobs();
        let ann = app.as_line1();
        let ticket = open(&ann, "Coupling stuck, unit 16").await;
        open(&ann, "Принтер печатает пустые страницы").await;
        let note = json!({ "kind": "note", "text": "Third stuck lever this week: Grüße" });
        ann.post(&path(&ticket, "/messages"), note).await.expect(201);
        open(&ann, "Lever broken").await;
        assert_eq!(found(&ann, "lever").await, [10_003, 10_001]);
        assert_eq!(found(&ann, "LEVER%20stuck").await, [10_001], "all words, in whatever case");
        assert_eq!(found(&ann, "coup").await, [10_001], "the last word may be a beginning");
        assert_eq!(found(&ann, "принтер").await, [10_002]);
        assert_eq!(found(&ann, "ilya").await, [10_003, 10_002, 10_001]);
        assert_eq!(found(&ann, "10002").await, [10_002]);
        assert_eq!(found(&ann, "%2310002").await, [10_002]);
        assert_eq!(found(&ann, "nothing").await, Vec::<i64>::new());
        assert_eq!(found(&app.as_line2(), "lever").await, Vec::<i64>::new(), "another line finds nothing");
        assert_eq!(found(&app.as_line2(), "10001").await, Vec::<i64>::new());
        let hit = ann.get("/search?q=broken").await.expect(200);
        assert!(hit["items"][0]["snippet"].as_str().unwrap().contains("<mark>broken</mark>"), "{hit}");
    }

    async fn search_takes_any_text_and_follows_a_changed_subject(app: TestApp) {
        app.leave_jobs();
        let ann = app.as_line1();
        let ticket = open(&ann, "Coupling <b>stuck</b>").await;
        for nasty in ["%22", "a%22%20OR%20b", "*", "NEAR(", "a:b", "%27%3B--", "(((", "%00x", "-"] {
            let answer = ann.get(&format!("/search?q={nasty}")).await;
            assert!([200, 422].contains(&answer.status), "{nasty}: {}", answer.text());
        }
        ann.get("/search?q=***").await.field("q");
        let hit = ann.get("/search?q=coupling").await.expect(200);
        let snippet = hit["items"][0]["snippet"].as_str().unwrap();
        assert!(snippet.contains("<mark>Coupling</mark>") && !snippet.contains("<b>"), "{snippet}");
        let change = json!({ "subject": "Gearbox noisy" });
        ann.clone().if_match(1).patch(&path(&ticket, ""), change).await.expect(200);
        assert_eq!(found(&ann, "gearbox").await, [10_001]);
        assert_eq!(found(&ann, "coupling").await, Vec::<i64>::new());
    }

    async fn found_tickets_come_in_pages(app: TestApp) {
        app.leave_jobs();
        let ann = app.as_line1();
        for number in 1..=5 {
            open(&ann, &format!("Lever {number}")).await;
        }
        let first = ann.get("/search?q=lever&limit=3").await.expect(200);
        assert_eq!(numbers(&first), [10_005, 10_004, 10_003]);
        let next = first["next_cursor"].as_str().unwrap();
        let second = ann.get(&format!("/search?q=lever&limit=3&cursor={next}")).await.expect(200);
        assert_eq!((numbers(&second), &second["next_cursor"]), (vec![10_002, 10_001], &Value::Null));
    }

    async fn queues_are_everybodys_to_see_and_the_administrators_to_change(app: TestApp) {
        let (ann, adam) = (app.as_line1(), app.as_admin());
        ann.post("/queues", json!({ "name": "Mine" })).await.problem(403, "forbidden");
        let queue = adam.post("/queues", json!({ "name": "Machines" })).await.expect(201);
        adam.post("/queues", json!({ "name": "MACHINES" })).await.problem(409, "exists");
        adam.post("/queues", json!({ "name": "" })).await.field("name");
        let id = queue["id"].as_str().unwrap();
        let changed = adam.patch(&format!("/queues/{id}"), json!({ "name": "Engines", "active": false })).await;
        assert_eq!(changed.expect(200)["name"], "Engines");
        let mut body = request("Coupling stuck");
        body["queue_id"] = json!(id);
        let refused = ann.post("/tickets", body).await;
        assert_eq!(refused.field("queue_id"), "names a queue that takes no new tickets; choose another");
        adam.patch("/queues/que_none", json!({ "name": "X" })).await.problem(404, "not_found");
        assert_eq!(ann.get("/queues").await.expect(200)[0]["name"], "Engines");
    }

    async fn the_counters_agree_with_the_lists_after_any_walk_through_the_life_cycle(app: TestApp) {
        app.leave_jobs();
        let sofia = app.as_supervisor();
        for (number, step) in (0..24).zip([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4]) {
            let ticket = if number % 4 == 0 {
                sofia.post("/tickets", request("Walk")).await.expect(201)
            } else {
                let last = 10_001 + number / 4;
                sofia.get(&format!("/tickets/{last}")).await.expect(200)
            };
            let change = match step % 5 {
                0 => json!({ "status": "open" }),
                1 => json!({ "assignee_id": "opr_sofia" }),
                2 => json!({ "assignee_id": null }),
                3 => json!({ "status": "resolved" }),
                _ => json!({ "status": "waiting_customer" }),
            };
            let at = path(&ticket, "");
            sofia.clone().if_match(&ticket["version"]).patch(&at, change).await;
            if step == 9 {
                let now = sofia.get(&at).await.expect(200);
                let words = json!({ "line": now["line"].as_i64().unwrap() % 3 + 1, "reason": "walk" });
                sofia.clone().if_match(&now["version"]).post(&format!("{at}/hand-over"), words).await.expect(200);
            }
        }
        let counters = sofia.get("/counters").await.expect(200);
        for line in 1..=3 {
            let listed = listed(&sofia, &format!("view=line{line}")).await.len();
            assert_eq!(counters["lines"][line.to_string()], listed, "line {line}");
        }
        assert_eq!(counters["inbox"], listed(&sofia, "view=inbox").await.len());
        assert_eq!(counters["mine"], listed(&sofia, "view=mine").await.len());
    }
}
