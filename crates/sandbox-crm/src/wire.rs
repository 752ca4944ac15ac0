//! Records as they are answered: everything about them, or the fields that were asked for.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::model::{Company, Contact, Records};

/// Members that come along whatever was asked for.
const ALWAYS: [&str; 2] = ["id", "updated_at"];

/// The contact with everything that hangs on it, as CRMs answer when nobody says which fields.
pub fn contact(records: &Records, contact: &Contact) -> Value {
    let mut value = object(contact);
    if let Some(members) = value.as_object_mut() {
        let company = records.companies.get(&contact.company_id);
        members.insert("company".to_owned(), company.map_or(Value::Null, object));
        members.insert("credit_limit".to_owned(), company.map_or(Value::Null, |c| object(&c.credit_limit)));
        members.insert("owner".to_owned(), records.owners.get(&contact.owner_id).map_or(Value::Null, object));
        members.insert("deals".to_owned(), records.deals_of(contact).map(object).collect());
        members.insert("invoices".to_owned(), records.invoices_of(contact).map(object).collect());
        members.insert("notes".to_owned(), records.notes_of(contact).map(object).collect());
    }
    value
}

/// The company with everything that hangs on it.
pub fn company(records: &Records, company: &Company) -> Value {
    let mut value = object(company);
    if let Some(members) = value.as_object_mut() {
        let deals = records.deals.values().filter(|deal| deal.company_id == company.id);
        let invoices = records.invoices.values().filter(|invoice| invoice.company_id == company.id);
        members.insert("owner".to_owned(), records.owners.get(&company.owner_id).map_or(Value::Null, object));
        members.insert("deals".to_owned(), deals.map(object).collect());
        members.insert("invoices".to_owned(), invoices.map(object).collect());
    }
    value
}

/// Any record without what hangs on it.
pub fn object<T: Serialize>(record: &T) -> Value {
    serde_json::to_value(record).unwrap_or(Value::Null)
}

/// Keeps the named members (dotted for members of members). `Err` names the first unknown one.
pub fn select(record: &Value, fields: &[String]) -> Result<Value, String> {
    let mut kept = Value::Object(Map::new());
    for field in ALWAYS.into_iter().chain(fields.iter().map(String::as_str)) {
        let path: Vec<&str> = field.split('.').collect();
        if !copy(record, &mut kept, &path) {
            return Err(field.to_owned());
        }
    }
    Ok(kept)
}

fn copy(from: &Value, to: &mut Value, path: &[&str]) -> bool {
    let Some((name, rest)) = path.split_first() else {
        *to = from.clone();
        return true;
    };
    match from {
        Value::Object(members) => {
            let Some(member) = members.get(*name) else { return false };
            if !to.is_object() {
                *to = json!({});
            }
            copy(member, &mut to[*name], rest)
        }
        Value::Array(items) => {
            if !to.is_array() {
                *to = Value::Array(vec![Value::Null; items.len()]);
            }
            items.iter().enumerate().all(|(at, item)| copy(item, &mut to[at], path))
        }
        // A member of something that is not there is not there either.
        Value::Null => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{Recipe, generate};

    fn first_contact() -> (Records, Contact) {
        let today = jiff::civil::date(2026, 11, 21);
        let records = generate(Recipe { seed: 1, customers: 40, marked: false, today });
        let contact = records.contacts.values().find(|c| records.deals_of(c).count() == 2).unwrap().clone();
        (records, contact)
    }

    fn members(value: &Value) -> usize {
        match value {
            Value::Object(map) => map.len() + map.values().map(members).sum::<usize>(),
            Value::Array(items) => items.iter().map(members).sum(),
            _ => 0,
        }
    }

    #[test]
    fn without_fields_a_contact_drags_the_whole_file_along() {
        let (records, person) = first_contact();
        let value = contact(&records, &person);
        assert!(members(&value) >= 80, "{}", members(&value));
        for name in ["company", "owner", "deals", "invoices", "notes", "credit_limit"] {
            assert!(!value[name].is_null(), "{name}");
        }
        assert!(value["deals"][0]["amount"].is_number());
    }

    #[test]
    fn with_fields_only_those_come_with_id_and_time() {
        let (records, person) = first_contact();
        let asked = ["full_name", "company.name", "deals.stage"].map(str::to_owned);
        let value = select(&contact(&records, &person), &asked).unwrap();
        let stages: Vec<Value> = records.deals_of(&person).map(|deal| json!({"stage": deal.stage})).collect();
        let company = &records.companies[&person.company_id];
        assert_eq!(
            value,
            json!({
                "id": person.id,
                "updated_at": person.updated_at.to_string(),
                "full_name": person.full_name,
                "company": {"name": company.name},
                "deals": stages,
            })
        );
    }

    #[test]
    fn an_unknown_field_is_named() {
        let (records, person) = first_contact();
        let value = contact(&records, &person);
        assert_eq!(select(&value, &["company.nme".to_owned()]), Err("company.nme".to_owned()));
        assert_eq!(select(&value, &["full_name.x".to_owned()]), Err("full_name.x".to_owned()));
    }
}
