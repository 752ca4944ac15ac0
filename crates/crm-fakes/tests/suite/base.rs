//! What all fakes have in common, with a CRM that only repeats.

use std::time::Duration;

use crm_fakes::switch::Fault;
use crm_fakes::wire::{Answer, Call};
use crm_fakes::{Crm, World};
use serde_json::json;

use crate::support::{http, send, start};

struct Parrot;

impl Crm for Parrot {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let asked = call.params("field").into_iter().map(str::to_owned).collect::<Vec<_>>();
        let name = world.read(|people| people.person(1).unwrap().full_name());
        let deal = world.marks.text("deal.name", 1);
        Answer::json(200, &json!({ "path": call.path, "query": call.query, "name": name, "deal": deal }))
            .asking(asked)
            .forbidding(call.unknown_params(&["field", "key"]))
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        Answer::json(429, &json!({ "error": "slow down" })).with("retry-after", "3")
    }

    fn secrets(&self) -> Vec<String> {
        vec!["s3cret/word".to_owned()]
    }
}

#[actix_web::test]
async fn requests_are_logged_without_secrets_and_with_what_they_asked_for() {
    let (crm, _) = start(Parrot);
    let url = format!("{}/a/s3cret%2Fword/b+c%26d?field=name&field=phone&key=s3cret/word&deals=1", crm.url);
    let request = http().get(url).bearer_auth("s3cret/word").body("s3cret/word");
    let (status, body) = send(request).await;
    assert_eq!((status, &body["path"]), (200, &json!("/a/s3cret/word/b+c&d")));
    let seen = crm.log().seen();
    assert_eq!(seen[0].line(), "GET /a/[secret]/b+c&d?field=name&field=phone&key=[secret]&deals=1 -> 200");
    assert_eq!(seen[0].headers["authorization"], "Bearer [secret]");
    assert_eq!(seen[0].body, "[secret]");
    assert_eq!(crm.log().asked().into_iter().collect::<Vec<_>>(), ["name", "phone"]);
    assert_eq!(crm.log().forbidden().len(), 1);
    assert_eq!(crm.marks().found_in(&body.to_string())[0].field, "deal.name");
}

#[actix_web::test]
async fn faults_come_when_they_are_switched_on() {
    let (crm, hands) = start(Parrot);
    crm.switch().on(Fault::Throttle, 1);
    let answer = http().get(&crm.url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "3"));
    crm.switch().on(Fault::ServerError, 1);
    let (status, page) = send(http().get(&crm.url)).await;
    assert_eq!(status, 500);
    assert!(!crm.marks().found_in(page.as_str().unwrap()).is_empty(), "the page quotes the record");
    crm.switch().on(Fault::Slow, 1);
    crm.switch().set_slow(Duration::from_millis(300));
    assert!(http().get(&crm.url).timeout(Duration::from_millis(100)).send().await.is_err());
    hands.forward_s(60);
    crm.change(1, |person| person.first_name = "Jürgen".to_owned());
    assert_eq!(crm.person(1).updated, hands.now());
    assert_eq!(send(http().get(&crm.url)).await.1["name"], "Jürgen Müller");
}
