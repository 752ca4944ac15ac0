//! Tryton is prepared once and answers like the CRM it is.

use dev_kit::{TRYTON_DATABASE, Tryton};
use serde_json::Value;

#[test]
fn a_customer_is_read_with_everything_that_support_must_not_see() {
    let tryton = Tryton::prepare().unwrap().start().unwrap();
    let facts = tryton.facts();
    assert_eq!(facts.customers.len(), 25);
    let anna = &facts.customers[0];
    let fields = "f=name&f=email&f=lang.code&f=bank_accounts.numbers.number";
    let url = format!("{}/{TRYTON_DATABASE}/rest/model/party.party/{}?{fields}", tryton.address(), anna.id);
    let key = format!("Bearer {}", facts.key);
    let mut answer = ureq::get(&url).header("Authorization", &key).call().unwrap();
    let record: Value = answer.body_mut().read_json().unwrap();
    assert_eq!((record["name"].as_str(), record["email"].as_str()), (Some(&*anna.name), Some(&*anna.email)));
    assert_eq!(record["lang"]["code"], "ru");
    let iban = record["bank_accounts"][0]["numbers"][0]["number"].as_str().unwrap();
    let markers = std::fs::read_to_string(&facts.file).unwrap();
    assert!(markers.contains(iban), "the bank account in the answer is one of the listed markers");
}
