//! What the bridge adds to the CRM's own time: the same questions to a CRM that takes a while, asked of it directly and
//! through a bridge that keeps nothing, in turns.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use dev_kit::Stack;
use dev_kit::load::{Figures, Load};
use serde_json::json;

use super::Bench;
use super::aims::LOOK_UP_ADDS;
use super::cards::tickets_with_cards;
use super::grant::Notary;
use super::request::{get, in_turn, post};
use super::table::Compared;
use super::tickets::session;

/// Makes the bridge ask the CRM for every card.
pub(super) const KEEP_NOTHING: &str = "CACHE__FRESH_S=0";
/// How long the CRM thinks.
const CRM_MS: u64 = 20;
const CONNECTIONS: usize = 4;
const ROUNDS: usize = 4;
const SELECTED: &str =
    "id,updated_at,full_name,email,other_emails,phone,mobile,job_title,language,time_zone,city";

/// A stack whose bridge has the settings [`KEEP_NOTHING`].
pub(super) fn measure(bench: &mut Bench<'_>, stack: &mut Stack) -> Result<()> {
    let stack = &*stack;
    let (operator, _) = session(stack, "line1")?;
    let tickets = tickets_with_cards(stack, &operator)?;
    let me = operator.get("/api/v1/session")?;
    let notary = Notary::of(stack)?;
    let key = format!("authorization: Bearer {}\r\n", stack.crm_key());
    let emails: Vec<String> = stack.customers()?.into_iter().map(|customer| customer.email).collect();
    let emails = &emails[..emails.len().min(tickets.len())];

    let by_email = emails.iter().map(|email| {
        let email = email.replace('@', "%40").replace('+', "%2B");
        get(stack.crm_url(), &format!("/api/v1/contacts?email={email}&limit=10&fields={SELECTED}"), &key)
    });
    let by_email = by_email.collect::<Result<Vec<_>>>()?;
    stack.crm_thinks(CRM_MS)?;
    let resolve = || {
        let all = emails.iter().zip(&tickets).map(|(email, (ticket, _))| {
            let token = notary.grant(*ticket, &json!({ "kind": "resolve" }))?;
            let body = json!({ "version": 1, "ticket": ticket, "email": email });
            post(
                stack.bridge_url(),
                "/v1/resolve",
                &format!("authorization: Bearer {token}\r\n"),
                &body.to_string(),
            )
        });
        all.collect::<Result<Vec<_>>>()
    };
    let name = "who is it: through the bridge; by mail address from the CRM";
    compare(bench, name, (stack.bridge_url(), &resolve), (stack.crm_url(), &by_email))?;

    let card = || {
        let all = tickets.iter().map(|(ticket, customer_ref)| {
            let purpose = json!({
                "kind": "card", "operator": me["id"], "role": me["role"], "customer_ref": customer_ref,
            });
            let token = notary.grant(*ticket, &purpose)?;
            let body = json!({ "version": 1, "ticket": ticket, "customer_ref": customer_ref });
            post(
                stack.bridge_url(),
                "/v1/card",
                &format!("authorization: Bearer {token}\r\n"),
                &body.to_string(),
            )
        });
        all.collect::<Result<Vec<_>>>()
    };
    let name = "card that is not kept: through the bridge; by mail address from the CRM";
    compare(bench, name, (stack.bridge_url(), &card), (stack.crm_url(), &by_email))?;
    stack.crm_thinks(0)
}

/// Asks in turns, and compares the best turns.
fn compare(
    bench: &mut Bench<'_>,
    name: &'static str,
    (bridge, through): (&str, &dyn Fn() -> Result<Vec<Vec<u8>>>),
    (crm, direct): (&str, &[Vec<u8>]),
) -> Result<()> {
    let (mut ours, mut theirs): (Option<Duration>, Option<Duration>) = (None, None);
    for _ in 0..ROUNDS {
        if bench.interrupt.asked() {
            bail!("interrupted");
        }
        let quickest = |best: Option<Duration>, now: Figures| best.map_or(now.p95, |best| best.min(now.p95));
        theirs =
            Some(quickest(theirs, load(bench, crm, direct).with_context(|| format!("{name}: the CRM"))?));
        // Grants do not live long.
        ours = Some(quickest(ours, load(bench, bridge, &through()?).context(name)?));
    }
    let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let added = ms(ours) - ms(theirs);
    bench.table.compare(Compared {
        name,
        this: format!("p95 {:.2} ms", ms(ours)),
        that: format!("p95 {:.2} ms", ms(theirs)),
        figure: format!("{added:.2} ms more"),
        aim: format!("≤ {} ms more", ms(LOOK_UP_ADDS)),
        of_aim: added / ms(LOOK_UP_ADDS),
    });
    Ok(())
}

fn load(bench: &Bench<'_>, url: &str, requests: &[Vec<u8>]) -> Result<Figures> {
    let (warm_up, lasts) = if bench.quick { (100, 400) } else { (300, 2_000) };
    let load = Load {
        url: url.to_owned(),
        connections: CONNECTIONS,
        warm_up: Duration::from_millis(warm_up),
        lasts: Duration::from_millis(lasts),
        status: 200,
    };
    load.measure(&mut in_turn(requests))
}
