//! The partners.

use serde_json::{Value, json};

use super::partner_id;
use crate::World;
use crate::people::{Company, People, Person};
use crate::shape::{space_time, with_deals};

/// Everybody who is there, then the companies. Version 19 has no `mobile` any more.
pub(super) fn all(world: &World, people: &People, mobile: bool) -> Vec<Value> {
    let persons = people.living().map(|person| of_person(world, person, people.company_of(person), mobile));
    let companies = people.companies.iter().map(|company| {
        let contacts = people.living().filter(|person| person.company == Some(company.number));
        let contacts: Vec<u32> = contacts.map(|person| partner_id(person.number)).collect();
        let mut record = of_company(world, company);
        record["child_ids"] = json!(contacts);
        record
    });
    persons.chain(companies).collect()
}

/// A record with every field that there is.
pub(super) fn sample(world: &World, people: &People, mobile: bool) -> Option<Value> {
    people.persons.first().map(|person| of_person(world, person, people.company_of(person), mobile))
}

fn text(text: Option<&str>) -> Value {
    text.filter(|text| !text.is_empty()).map_or(Value::Bool(false), |text| json!(text))
}

fn of_person(world: &World, person: &Person, company: Option<&Company>, mobile: bool) -> Value {
    let parent = company.map_or(Value::Bool(false), |company| json!([company.number, company.name]));
    let full =
        company.map_or(person.full_name(), |company| format!("{}, {}", company.name, person.full_name()));
    let mut record = sales_side(world, partner_id(person.number));
    let own = json!({
        "id": partner_id(person.number),
        "name": person.full_name(),
        "complete_name": full,
        "display_name": full,
        "is_company": false,
        "active": true,
        "type": "contact",
        "email": text(Some(person.email())),
        "email_normalized": text(Some(&person.email().to_lowercase())),
        "phone": text(person.phone().map(|phone| phone.e164.as_str())),
        "phone_sanitized": text(person.phones.first().map(|phone| phone.e164.as_str())),
        "ref": format!("K-{:05}", person.number),
        "function": text(Some(&person.job_title)),
        "lang": format!("{}_{}", person.language, person.country),
        "tz": person.time_zone,
        "street": person.street,
        "zip": person.postal_code,
        "city": person.city,
        "country_id": [57 + person.number % 9, person.country_name],
        "parent_id": parent,
        "child_ids": [],
        "commercial_company_name": text(company.map(|company| company.name.as_str())),
        "website": text(company.map(|company| company.website()).as_deref()),
        "x_service_level": person.service_level,
        "x_support_until": person.support_until.to_string(),
        "create_date": space_time(person.created),
        "write_date": space_time(person.updated),
    });
    merge(&mut record, own);
    if mobile {
        merge(&mut record, json!({"mobile": text(person.mobile().map(|phone| phone.e164.as_str()))}));
    }
    merge(&mut record, Value::Object(person.own.clone()));
    with_deals(world, person.number, "opportunities", record)
}

fn of_company(world: &World, company: &Company) -> Value {
    let mut record = sales_side(world, company.number);
    let own = json!({
        "id": company.number,
        "name": company.name,
        "complete_name": company.name,
        "display_name": company.name,
        "is_company": true,
        "active": true,
        "type": "contact",
        "email": false,
        "email_normalized": false,
        "phone": text(Some(&company.phone.e164)),
        "phone_sanitized": text(Some(&company.phone.e164)),
        "ref": false,
        "mobile": false,
        "function": false,
        "lang": "en_US",
        "tz": company.time_zone,
        "city": company.city,
        "country_id": [57, company.country_name],
        "parent_id": false,
        "commercial_company_name": company.name,
        "website": company.website(),
        "x_service_level": company.service_level,
        "x_support_until": company.support_until.to_string(),
        "create_date": space_time(company.created),
        "write_date": space_time(company.updated),
    });
    merge(&mut record, own);
    merge(&mut record, Value::Object(company.own.clone()));
    record
}

/// What sales and accounting keep on the same record.
fn sales_side(world: &World, id: u32) -> Value {
    let marks = &world.marks;
    let word = |field: &str| marks.text(&format!("partner.{field}"), id);
    let money = |field: &str| marks.money(&format!("partner.{field}"), id);
    json!({
        "credit": money("credit"),
        "debit": money("debit"),
        "credit_limit": money("credit_limit"),
        "total_due": money("total_due"),
        "total_invoiced": money("total_invoiced"),
        "bank_ids": [marks.count("partner.bank_ids", id)],
        "property_payment_term_id": [3, word("property_payment_term_id")],
        "property_account_receivable_id": [7, word("property_account_receivable_id")],
        "property_product_pricelist": [1, word("property_product_pricelist")],
        "opportunity_count": marks.count("partner.opportunity_count", id),
        "opportunity_ids": [marks.count("partner.opportunity_ids", id)],
        "sale_order_count": marks.count("partner.sale_order_count", id),
        "invoice_ids": [marks.count("partner.invoice_ids", id)],
        "unpaid_invoices_count": marks.count("partner.unpaid_invoices_count", id),
        "trust": word("trust"),
        "user_id": [2, word("user_id")],
        "comment": format!("<p>pays late, {}</p>", word("comment")),
        "signup_token": word("signup_token"),
        "vat": word("vat"),
        "company_registry": word("company_registry"),
    })
}

fn merge(record: &mut Value, more: Value) {
    if let (Value::Object(members), Value::Object(more)) = (record, more) {
        members.extend(more);
    }
}
