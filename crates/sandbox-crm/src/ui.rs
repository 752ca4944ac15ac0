//! Web pages for a visitor who wants to see what the CRM has and support has not.

use std::fmt::{Display, Write};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, Query};
use serde::Deserialize;

use crate::App;
use crate::model::{Company, Contact, Records};

const STYLE: &str = include_str!("ui.css");
const ROWS_MAX: usize = 500;

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.route("/", web::get().to(list)).route("/contacts/{id}", web::get().to(show));
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

async fn list(app: Data<App>, search: Query<Search>) -> HttpResponse {
    let words: Vec<String> = search.q.split_whitespace().map(str::to_lowercase).collect();
    let body = app.store.read(|records| {
        let mut rows = String::new();
        let mut count = 0;
        for contact in records.contacts.values() {
            let company = records.companies.get(&contact.company_id);
            let text = format!(
                "{} {} {} {} {}",
                contact.full_name,
                contact.email,
                contact.phone,
                contact.mobile.as_deref().unwrap_or_default(),
                company.map_or("", |company| &company.name)
            )
            .to_lowercase();
            if !words.iter().all(|word| text.contains(word)) {
                continue;
            }
            count += 1;
            if count <= ROWS_MAX {
                row(&mut rows, records, contact, company);
            }
        }
        format!(
            "<h1>Customers</h1>\
             <form role=\"search\"><input type=\"search\" name=\"q\" value=\"{}\" \
             placeholder=\"Name, address, phone, company\" aria-label=\"Search customers\">\
             <button>Search</button><span>{count} found</span></form>\
             <table><thead><tr><th>Name<th>Company<th>Mail<th>Phone<th>City<th>Service\
             <th class=\"number\">Open deals<th class=\"number\">Credit limit</thead><tbody>{rows}</tbody></table>",
            escape(&search.q)
        )
    });
    page(StatusCode::OK, "Customers", &body)
}

fn row(out: &mut String, records: &Records, contact: &Contact, company: Option<&Company>) {
    let (firm, limit) = company.map_or((String::new(), String::new()), |company| {
        (escape(&company.name), money(company.credit_limit, &company.currency))
    });
    put(
        out,
        format_args!(
            "<tr><td dir=\"auto\"><a href=\"/contacts/{}\">{}</a><td dir=\"auto\">{firm}<td>{}<td>{}\
             <td dir=\"auto\">{}<td>{}<td class=\"number\">{}<td class=\"number\">{limit}",
            escape(&contact.id),
            escape(&contact.full_name),
            escape(&contact.email),
            escape(&contact.phone),
            escape(&contact.city),
            level(contact),
            records.deals_of(contact).count(),
        ),
    );
}

async fn show(app: Data<App>, id: Path<String>) -> HttpResponse {
    let found = app.store.read(|records| {
        let contact = records.contacts.get(id.as_str())?;
        Some((contact.full_name.clone(), contact_page(records, contact)))
    });
    match found {
        Some((name, body)) => page(StatusCode::OK, &name, &body),
        None => page(StatusCode::NOT_FOUND, "Not found", "<h1>There is no such customer</h1>"),
    }
}

fn contact_page(records: &Records, contact: &Contact) -> String {
    let mut out = format!(
        "<p><a href=\"/\">All customers</a></p><h1 dir=\"auto\">{}</h1><div class=\"columns\">",
        escape(&contact.full_name)
    );
    person(&mut out, contact);
    if let Some(company) = records.companies.get(&contact.company_id) {
        firm(&mut out, company);
        finances(&mut out, company);
    }
    sales(&mut out, records, contact);
    out.push_str("</div>");
    deals(&mut out, records, contact);
    invoices(&mut out, records, contact);
    notes(&mut out, records, contact);
    out
}

fn person(out: &mut String, contact: &Contact) {
    let address = format!("{}, {} {}", contact.street, contact.postal_code, contact.city);
    let rows = [
        ("Name", contact.full_name.as_str()),
        ("Job", &contact.job_title),
        ("Mail", &contact.email),
        ("Other mail", &contact.other_emails.join(", ")),
        ("Phone", &contact.phone),
        ("Mobile", contact.mobile.as_deref().unwrap_or_default()),
        ("Address", &address),
        ("Country", &contact.country),
        ("Language", &contact.language),
        ("Time zone", &contact.time_zone),
        ("Service level", level(contact)),
        ("Support until", &contact.support_until.to_string()),
        ("Birthday", &contact.birthday.map(|day| day.to_string()).unwrap_or_default()),
    ];
    facts(out, "Person", &rows);
}

fn firm(out: &mut String, company: &Company) {
    let rows = [
        ("Name", company.name.as_str()),
        ("Phone", &company.phone),
        ("Website", &company.website),
        ("City", &company.city),
        ("Industry", &company.industry),
        ("Employees", &company.employees.to_string()),
    ];
    facts(out, "Company", &rows);
}

fn finances(out: &mut String, company: &Company) {
    let rows = [
        ("Annual revenue", money(company.annual_revenue, &company.currency)),
        ("Credit limit", money(company.credit_limit, &company.currency)),
        ("Outstanding", money(company.outstanding_balance, &company.currency)),
        ("Payment terms", format!("{} days", company.payment_terms_days)),
        ("Credit rating", company.credit_rating.clone()),
        ("Tax number", company.tax_number.clone()),
        ("IBAN", company.iban.clone()),
    ];
    facts(out, "Finances", &rows.each_ref().map(|(name, value)| (*name, value.as_str())));
}

fn sales(out: &mut String, records: &Records, contact: &Contact) {
    let owner = records.owners.get(&contact.owner_id);
    let rows = [
        ("Owner", owner.map(|owner| owner.name.clone()).unwrap_or_default()),
        ("Owner's mail", owner.map(|owner| owner.email.clone()).unwrap_or_default()),
        ("Owner's quota", owner.map(|owner| money(owner.quota, "EUR")).unwrap_or_default()),
        ("Life-cycle stage", contact.lifecycle_stage.clone()),
        ("Lead score", contact.lead_score.to_string()),
        ("Lead source", contact.lead_source.clone()),
        ("Tags", contact.tags.join(", ")),
    ];
    facts(out, "Sales", &rows.each_ref().map(|(name, value)| (*name, value.as_str())));
}

fn facts(out: &mut String, title: &str, rows: &[(&str, &str)]) {
    put(out, format_args!("<section><h2>{title}</h2><dl>"));
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        put(out, format_args!("<dt>{name}<dd dir=\"auto\">{}", escape(value)));
    }
    out.push_str("</dl></section>");
}

fn deals(out: &mut String, records: &Records, contact: &Contact) {
    out.push_str(
        "<h2>Deals</h2><table><thead><tr><th>Title<th>Pipeline<th>Stage<th class=\"number\">Amount\
         <th class=\"number\">Probability<th>Close date<th>Next step</thead><tbody>",
    );
    for deal in records.deals_of(contact) {
        put(
            out,
            format_args!(
                "<tr><td dir=\"auto\">{}<td>{}<td>{}<td class=\"number\">{}<td class=\"number\">{} %<td>{}<td>{}",
                escape(&deal.title),
                escape(&deal.pipeline),
                escape(&deal.stage),
                money(deal.amount, &deal.currency),
                deal.probability,
                deal.close_date,
                escape(&deal.next_step),
            ),
        );
    }
    out.push_str("</tbody></table>");
}

fn invoices(out: &mut String, records: &Records, contact: &Contact) {
    out.push_str(
        "<h2>Invoices</h2><table><thead><tr><th>Number<th class=\"number\">Amount<th>Issued<th>Due<th>Status\
         <th>IBAN<th>Purpose</thead><tbody>",
    );
    for invoice in records.invoices_of(contact) {
        put(
            out,
            format_args!(
                "<tr><td>{}<td class=\"number\">{}<td>{}<td>{}<td>{}<td>{}<td>{}",
                escape(&invoice.number),
                money(invoice.amount, &invoice.currency),
                invoice.issued,
                invoice.due,
                escape(&invoice.status),
                escape(&invoice.iban),
                escape(&invoice.purpose),
            ),
        );
    }
    out.push_str("</tbody></table>");
}

fn notes(out: &mut String, records: &Records, contact: &Contact) {
    out.push_str("<h2>Notes</h2><ul>");
    for note in records.notes_of(contact) {
        let day = note.written_at.to_zoned(jiff::tz::TimeZone::UTC).date();
        put(out, format_args!("<li><time>{day}</time> {}", escape(&note.text)));
    }
    out.push_str("</ul>");
}

fn level(contact: &Contact) -> &'static str {
    use crate::model::ServiceLevel::{Gold, Silver, Standard};
    match contact.service_level {
        Gold => "gold",
        Silver => "silver",
        Standard => "standard",
    }
}

fn money(amount: impl Display, currency: &str) -> String {
    format!("{amount}\u{a0}{}", escape(currency))
}

fn page(status: StatusCode, title: &str, body: &str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{} · Sandbox CRM</title><style>{STYLE}</style></head>\
         <body><header><a href=\"/\">Sandbox CRM</a><span>for trying out</span></header><main>{body}</main>",
        escape(title)
    ))
}

fn put(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String never fails.
    out.write_fmt(arguments).ok();
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
