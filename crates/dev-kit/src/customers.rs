//! Who the customers of a stack are, so that somebody can write to support in their name.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::client::Client;
use crate::stack::Stack;

const PAGE: &str = "/api/v1/contacts?fields=full_name,email,phone,language&limit=200";

/// What a customer would write into a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Name.
    pub name: String,
    /// Mail address, as the CRM knows it.
    pub email: String,
    /// Phone, E.164, as the CRM knows it.
    pub phone: String,
    /// Language code.
    pub language: String,
}

impl Stack {
    /// The customers in the CRM (at most 200).
    pub fn customers(&self) -> Result<Vec<Customer>> {
        if let Some(tryton) = self.tryton() {
            let known = tryton.facts().customers.iter().map(|customer| Customer {
                name: customer.name.clone(),
                email: customer.email.clone(),
                phone: customer.phone.clone(),
                language: customer.language.clone(),
            });
            return Ok(known.collect());
        }
        let page = Client::new(self.crm_url()).with_key(self.crm_key()).get(PAGE)?;
        let items = page["items"].as_array().context("the CRM sent no list")?;
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let mut customers: Vec<(String, Customer)> = items
            .iter()
            .map(|item| {
                let customer = Customer {
                    name: text(item, "full_name"),
                    email: text(item, "email"),
                    phone: text(item, "phone"),
                    language: text(item, "language"),
                };
                (text(item, "id"), customer)
            })
            .collect();
        // The page is in order of change; by id, neighbours speak different languages.
        customers.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(customers.into_iter().map(|(_, customer)| customer).collect())
    }
}
