//! A REST CRM that no preset knows.

use crm_fakes::Running;
use crm_fakes::plain_rest::PlainRest;
use crm_fakes::switch::Fault;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::{http, send, start};

fn get(crm: &Running<PlainRest>, path: &str) -> RequestBuilder {
    let url = if path.starts_with("http") { path.to_owned() } else { format!("{}/v1/{path}", crm.url) };
    http().get(url).bearer_auth(PlainRest::KEY)
}

#[actix_web::test]
async fn everything_comes_whatever_is_asked_for() {
    let (crm, _) = start(PlainRest);
    let (status, body) = send(get(&crm, "clients?mail=ZOE.WEISS@muller-sohne.example&fields=uid")).await;
    assert_eq!((status, &body[0]["uid"], &body[0]["family"]), (200, &json!("cl-00002"), &json!("Weiß")));
    assert!(body[0]["firm"]["turnover"].is_number() && body[0]["sales"]["step"].is_string());
    assert_eq!(crm.log().forbidden().len(), 1, "fields is not a parameter of this CRM");
    let (_, one) = send(get(&crm, "clients/cl-00002")).await;
    assert!(crm.marks().found_in(&one.to_string()).len() > 5);
    assert_eq!(send(get(&crm, "clients/cl-99999")).await.0, 404);
    assert_eq!(send(get(&crm, "clients?tel=%2B49302000002")).await.1[0]["uid"], "cl-00002");
    assert_eq!(send(get(&crm, "deals")).await.0, 404);
    assert_eq!(send(http().get(format!("{}/v1/clients", crm.url))).await.0, 401);
}

#[actix_web::test]
async fn the_next_page_is_in_a_header() {
    let (crm, hands) = start(PlainRest);
    let mut next = Some("clients?per_page=15&sort=changed".to_owned());
    let mut seen = Vec::new();
    while let Some(path) = next {
        let answer = get(&crm, &path).send().await.unwrap();
        let link = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let last = link.as_deref().and_then(|link| link.rsplit_once("<"));
        next = last.map(|(_, link)| link.split_once(">; rel=\"next\"").unwrap().0.to_owned());
        let body = crate::support::body(answer).await;
        seen.extend(body.as_array().unwrap().iter().map(|row| row["uid"].to_string()));
    }
    assert_eq!(seen.len(), 38);
    hands.forward_s(60);
    crm.change(1, |person| person.city = "Köln".to_owned());
    let (_, body) = send(get(&crm, "clients?changed_after=2026-11-22T09:00:30Z&sort=changed")).await;
    assert_eq!((body.as_array().unwrap().len(), &body[0]["place"]["town"]), (1, &json!("Köln")));
    crm.switch().on(Fault::NextElsewhere, 1);
    let answer = get(&crm, "clients?per_page=15").send().await.unwrap();
    assert!(answer.headers()["link"].to_str().unwrap().contains(&crm.switch().elsewhere()));
    let delivery = crm.crm.changed(crm.world(), 1);
    assert!(
        delivery.headers[1].1.starts_with("sha256=")
            && !crm.marks().found_in(&String::from_utf8_lossy(&delivery.body)).is_empty()
    );
    let note = http().post(format!("{}/v1/clients/cl-00001/notes", crm.url)).bearer_auth(PlainRest::KEY);
    assert_eq!(send(note.json(&json!({"text": "Ticket 6"}))).await.0, 201);
    assert_eq!(crm.notes()[0].person, 1);
}
