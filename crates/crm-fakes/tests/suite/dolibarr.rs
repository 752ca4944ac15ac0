//! Dolibarr.

use crm_fakes::Running;
use crm_fakes::dolibarr::Dolibarr;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::{http, send, start};

fn get(crm: &Running<Dolibarr>, path: &str) -> RequestBuilder {
    http().get(format!("{}/api/index.php/{path}", crm.url)).header("dolapikey", Dolibarr::KEY)
}

const BY_MAIL: &str = "contacts?sqlfilters=(t.email:=:'s.o'brien@obrien.example')&properties=id,lastname";

#[actix_web::test]
async fn old_versions_ignore_the_selection_and_new_ones_do_not() {
    let (old, _) = start(Dolibarr::default());
    let (status, body) = send(get(&old, BY_MAIL)).await;
    assert_eq!((status, &body[0]["id"], &body[0]["lastname"]), (200, &json!("529"), &json!("O'Brien")));
    assert!(
        body[0]["note_private"].is_string() && body[0]["array_options"]["options_credit_limit"].is_string()
    );
    assert!(body[0]["date_modification"].as_str().unwrap().parse::<i64>().is_ok(), "seconds in a string");
    let (new, _) = start(Dolibarr { knows_properties: true, ..Dolibarr::default() });
    let (_, body) = send(get(&new, BY_MAIL)).await;
    assert_eq!(body, json!([{"id": "529", "lastname": "O'Brien"}]));
    assert!(new.log().forbidden().is_empty() && old.log().forbidden().is_empty());
    let (_, one) = send(get(&old, "contacts/529")).await;
    assert!(!old.marks().found_in(&one.to_string()).is_empty());
}

#[actix_web::test]
async fn nothing_is_a_404_and_a_missing_right_a_401() {
    let (crm, hands) = start(Dolibarr::default());
    assert_eq!(send(get(&crm, "contacts?sqlfilters=(t.email:=:'nobody@x.example')")).await.0, 404);
    assert_eq!(send(get(&crm, "contacts/9999")).await.0, 404);
    let mut seen = 0;
    for page in 0..3 {
        let (_, body) = send(get(&crm, &format!("contacts?sortfield=t.tms&limit=15&page={page}"))).await;
        seen += body.as_array().unwrap().len();
    }
    assert_eq!(seen, 38);
    assert_eq!(send(get(&crm, "contacts?limit=15&page=3")).await.0, 404, "even after the last page");
    let (_, body) = send(get(&crm, "contacts?limit=15&pagination_data=true")).await;
    assert_eq!((body["data"].as_array().unwrap().len(), &body["pagination"]["page_count"]), (15, &json!(3)));
    hands.forward_s(60);
    crm.change(8, |person| person.city = "Cuenca".to_owned());
    let (_, body) = send(get(&crm, "contacts?sqlfilters=(t.tms:>=:'20261122090030')")).await;
    assert_eq!((body.as_array().unwrap().len(), &body[0]["town"]), (1, &json!("Cuenca")));
    assert!(crm.log().forbidden().is_empty());
    assert_eq!(send(get(&crm, "contacts?sqlfilters=(t.note_private:like:'%25x%25')")).await.0, 404);
    assert_eq!(crm.log().forbidden().len(), 1);
    assert_eq!(send(get(&crm, "invoices")).await.0, 404);
    assert_eq!(send(get(&crm, "contacts?sqlfilters=x")).await.0, 503);
    let (poor, _) = start(Dolibarr { without_right: true, ..Dolibarr::default() });
    assert_eq!(send(get(&poor, "contacts")).await.0, 401);
    assert_eq!(send(http().get(format!("{}/api/index.php/contacts", crm.url))).await.0, 401);
    let event =
        json!({"type_code": "AC_OTH", "label": "Ticket 5", "note_private": "solved", "contact_id": "508"});
    let request =
        http().post(format!("{}/api/index.php/agendaevents", crm.url)).header("dolapikey", Dolibarr::KEY);
    assert_eq!(send(request.json(&event)).await.0, 200);
    assert_eq!(crm.notes()[0].person, 8);
}
