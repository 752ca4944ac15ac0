//! `crm-bridge prove`: plants markers in a sandbox of the configured CRM, drives a bridge with the configured policy and
//! profile through everything that can be asked of it, looks for every marker in everything that it answered, wrote and
//! printed, removes the markers, and writes down what it saw.
//!
//! The markers are made for one run. What is driven is this program as a process of its own ([`child`]) on a database and
//! with keys of its own; nothing of the running bridge is touched. Whether a run means something is part of it
//! ([`report::Control`]).

mod by_hand;
mod child;
mod drive;
mod drive_crm;
mod html;
mod in_trouble;
mod journal;
mod look;
pub mod markers;
mod planting;
pub mod report;
mod stub;
mod wire;
mod write_up;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use service_kit::{Clock, Ids, shutdown};

pub use self::by_hand::ByHand;
use self::child::{Around, Home};
use self::drive::{Asker, Known, Person};
use self::drive_crm::Hook;
pub use self::html::html;
use self::journal::Journal;
use self::look::Place;
use self::markers::Marker;
use self::planting::Planted;
use self::report::{Control, Left, NotDriven, Report};
use self::wire::Tape;
use crate::connector::plant::Planter;
use crate::connector::profile::Profile;
use crate::connector::profile::webhook::KeyEncoding;
use crate::policy::Policy;

/// Why a run could not be carried out, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ProveError(String);

impl ProveError {
    fn new(sentence: String) -> Self {
        Self(sentence)
    }

    fn stopped() -> Self {
        Self("stopped before the end; nothing is proven".to_owned())
    }
}

/// What a run needs.
pub struct Order<'a> {
    /// The program to drive: this one.
    pub program: &'a Path,
    /// Its settings.
    pub config_file: Option<&'a Path>,
    /// Where the report goes.
    pub out: &'a Path,
    /// How the CRM is asked.
    pub profile: &'a Profile,
    /// The text of the profile.
    pub profile_text: &'a str,
    /// What may come through.
    pub policy: &'a Policy,
    /// The text of the policy.
    pub policy_text: &'a str,
    /// `ticket_policy.file` of the settings; may be empty.
    pub ticket_policy_file: &'a Path,
    /// `crm_api.public_url` of the settings; may be empty.
    pub public_url: &'a str,
    /// The CRM's host.
    pub host: &'a str,
    /// The time.
    pub clock: &'a Clock,
    /// Random values.
    pub ids: &'a Ids,
    /// Told what is done, in sentences.
    pub say: &'a dyn Fn(&str),
}

/// How the markers come into the CRM.
pub enum Way<'a> {
    /// The program makes them and removes them.
    Planter(&'a Planter),
    /// A person typed them in.
    ByHand(&'a ByHand),
}

/// Runs everything.
///
/// # Errors
/// [`ProveError`]: nothing is proven. What was planted is removed all the same, or named.
pub async fn prove(order: &Order<'_>, way: &Way<'_>) -> Result<Report, ProveError> {
    let began_at = order.clock.now();
    std::fs::create_dir_all(order.out)
        .map_err(|error| ProveError::new(format!("{} can't be made: {error}", order.out.display())))?;
    let stop = Arc::new(AtomicBool::new(false));
    let (markers, (ran, left)) = match way {
        Way::Planter(planter) => {
            let plant = order.profile.plant.as_ref().ok_or_else(|| {
                ProveError::new(format!(
                    "the profile of {} has no [plant]; write one (config/profiles/README.md), or type markers in by hand with \
                     `crm-bridge prove --new-markers FILE`",
                    order.profile.head.title
                ))
            })?;
            let markers = markers::fresh(plant, order.ids);
            let mut planted = planting::begin(order.out, order.host, &order.profile.head.name, &markers)?;
            (order.say)(&format!("planting {} records in {}", plant.record.len(), order.host));
            let noted = tokio::spawn(note_the_signal(Arc::clone(&stop)));
            let ran = match planted.plant(planter, plant, &stop).await {
                Ok(()) => {
                    let run =
                        Run { order, markers: &markers, planted: Some((planter, &planted)), by_hand: None };
                    until_stopped(&stop, run.run()).await
                }
                Err(error) => Err(error),
            };
            (order.say)("removing what was planted");
            let left = planted.remove(planter, plant).await;
            noted.abort();
            (markers, (ran, left))
        }
        Way::ByHand(by_hand) => {
            let markers = by_hand.markers.clone();
            let noted = tokio::spawn(note_the_signal(Arc::clone(&stop)));
            let run = Run { order, markers: &markers, planted: None, by_hand: Some(by_hand) };
            let ran = until_stopped(&stop, run.run()).await;
            noted.abort();
            (markers, (ran, Vec::new()))
        }
    };
    for left in &left {
        let id = left.id.as_deref().unwrap_or("unknown");
        (order.say)(&format!("the record \"{}\" (id {id}) is still in the CRM: {}", left.record, left.why));
    }
    let seen = ran?;
    let by = if matches!(way, Way::Planter(_)) { write_up::PLANTED_BY_PROGRAM } else { "by hand" };
    Ok(write_up::written(order, &markers, seen, left, by, began_at.to_string()))
}

/// Removes what an earlier run left. Answers what could not be removed; none if there was nothing to do.
///
/// # Errors
/// The journal can't be read, or is another CRM's.
pub async fn clean_up(
    out: &Path,
    host: &str,
    profile: &Profile,
    planter: &Planter,
) -> Result<Option<(usize, Vec<Left>)>, ProveError> {
    child::end_former(&out.join("work"));
    let Some(journal) = Journal::open(out)? else { return Ok(None) };
    if journal.content().host != host || journal.content().profile != profile.head.name {
        return Err(ProveError::new(format!(
            "what was left is in {} (profile {}), and these settings are for {host} (profile {})",
            journal.content().host,
            journal.content().profile,
            profile.head.name
        )));
    }
    let Some(plant) = profile.plant.as_ref() else {
        return Err(ProveError::new("the profile has no [plant] any more".to_owned()));
    };
    let count = journal.content().records.len();
    Ok(Some((count, Planted::again(journal).remove(planter, plant).await)))
}

async fn note_the_signal(stop: Arc<AtomicBool>) {
    shutdown::signal_received().await;
    stop.store(true, Ordering::Relaxed);
}

/// The work, unless somebody stops it before.
async fn until_stopped<T>(
    stop: &AtomicBool,
    work: impl Future<Output = Result<T, ProveError>>,
) -> Result<T, ProveError> {
    let stopped = async {
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        outcome = work => outcome,
        () = stopped => Err(ProveError::stopped()),
    }
}

/// One run between planting and removing.
struct Run<'a> {
    order: &'a Order<'a>,
    markers: &'a [Marker],
    planted: Option<(&'a Planter, &'a Planted)>,
    by_hand: Option<&'a ByHand>,
}

/// What a run has seen.
struct Seen {
    in_crm: Option<Vec<bool>>,
    places: Vec<Place>,
    driven: Vec<String>,
    not_driven: Vec<NotDriven>,
    controls: Vec<Control>,
}

impl Seen {
    fn did(&mut self, what: &str) {
        self.driven.push(what.to_owned());
    }

    fn not(&mut self, what: &str, why: &str) {
        self.not_driven.push(NotDriven { what: what.to_owned(), why: why.to_owned() });
    }
}

impl Run<'_> {
    async fn run(&self) -> Result<Seen, ProveError> {
        let order = self.order;
        let mut seen = Seen {
            in_crm: None,
            places: Vec::new(),
            driven: Vec::new(),
            not_driven: Vec::new(),
            controls: Vec::new(),
        };
        if let (Some((planter, planted)), Some(plant)) = (self.planted, order.profile.plant.as_ref()) {
            seen.in_crm = planted.seen(planter, plant, self.markers).await?;
        }
        let (path, secret) = (order.ids.token(24), order.ids.token(24));
        let webhook = order.profile.webhook.as_ref();
        let secret = match webhook.map(|hook| hook.signature.key) {
            Some(KeyEncoding::Base64) => STANDARD.encode(secret),
            _ => secret,
        };
        let around = Around {
            program: order.program,
            config_file: order.config_file,
            policy: order.policy_text,
            ticket_policy_file: order.ticket_policy_file,
            public_url: order.public_url,
            webhook: webhook.map(|_| (path.as_str(), secret.as_str())),
        };
        let folder = order.out.join("work");
        child::end_former(&folder);
        let _gone = Folder(folder.clone());
        let mut home = Home::new(&folder, &around, order.clock, order.ids)?;
        let mut tape = Tape::default();
        let people = self.people();
        let known = self.well(&mut home, &mut tape, &mut seen, &people, (&path, &secret)).await?;
        self.in_trouble(&mut home, &mut tape, &mut seen, &known).await?;
        seen.places.extend(look::files(&home.folder, "at the end")?);
        seen.places.append(&mut tape.0);
        (order.say)(&format!("looking for {} markers in {} places", self.markers.len(), seen.places.len()));
        Ok(seen)
    }

    fn people(&self) -> Vec<Person> {
        let value = |name: &String| {
            self.markers.iter().find(|marker| marker.name == *name).map(|marker| marker.value.clone())
        };
        if let Some(by_hand) = self.by_hand {
            return vec![Person {
                email: by_hand.email.clone(),
                phone: by_hand.phone.clone(),
                crm_id: by_hand.crm_id.clone(),
            }];
        }
        let records = self.order.profile.plant.iter().flat_map(|plant| &plant.record);
        let person = |record: &crate::connector::profile::plant::PlantRecord| {
            let look_up = record.look_up.as_ref()?;
            let made = self.planted.and_then(|(_, planted)| planted.values.made.get(&record.name).cloned());
            Some(Person {
                email: value(&look_up.email)?,
                phone: look_up.phone.as_ref().and_then(value),
                crm_id: made,
            })
        };
        records.filter_map(person).collect()
    }

    /// While the CRM is well.
    async fn well(
        &self,
        home: &mut Home,
        tape: &mut Tape,
        seen: &mut Seen,
        people: &[Person],
        (path, secret): (&str, &str),
    ) -> Result<Vec<Known>, ProveError> {
        let order = self.order;
        (order.say)("driving a bridge with this policy and profile");
        let bridge = home.start(&[]).await?;
        let mut asker =
            Asker { address: &bridge.address, signer: &home.signer, policy: order.policy, tape: &mut *tape };
        let mut known = Vec::new();
        for (number, person) in people.iter().enumerate() {
            let one = asker.look_up(1000 + number as u64, person).await?;
            asker.all_views(&one).await?;
            known.push(one);
        }
        seen.did("customers looked up by mail address and number; their card for each role; every masked field asked for");
        let (Some(first), Some(person)) = (known.first(), people.first()) else {
            return Err(ProveError::new("nobody was planted".to_owned()));
        };
        let taken = asker.wrongly(first, order.clock, order.ids).await?;
        seen.did("questions with wrong, foreign, cut-off and missing grants, for other tickets and customers, too large, no JSON");
        seen.controls.push(Control {
            id: "refused".to_owned(),
            says: "Questions that must be refused were refused.".to_owned(),
            holds: taken.is_empty(),
            detail: taken.join(", "),
        });
        asker.strangers(order.ids, first, person).await?;
        seen.did("addresses and numbers that nobody in the CRM has");
        match known.get(1) {
            Some(second) => {
                let held = asker.budget(first, second).await?;
                seen.did("a viewing budget used up, and a look beyond it with a reason");
                seen.controls.push(Control {
                    id: "budget".to_owned(),
                    says: "Beyond the viewing budget nothing was shown without a reason.".to_owned(),
                    holds: held,
                    detail: String::new(),
                });
            }
            None => seen.not("a viewing budget used up", "it takes two planted persons"),
        }
        asker.around(first, order.clock).await?;
        asker.open_doors().await?;
        seen.did("the supervisors' page, changes of customers, the exchange of audit heads, health, metrics, API documents");
        match &person.crm_id {
            Some(crm_id) => {
                drive_crm::as_the_crm(home, &bridge, tape, crm_id, first.ticket).await?;
                seen.did("the API for the CRM with its events, its panel and its errors");
                self.hook(&bridge, tape, seen, crm_id, (path, secret)).await?;
            }
            None => {
                drive_crm::as_the_crm(home, &bridge, tape, "nobody-that-prove-knows", first.ticket).await?;
                seen.did("the API for the CRM with its errors");
                let why = "the CRM's id of the test person is not known: write it into the file as crm_id";
                seen.not("tickets of the test person over the API for the CRM, the panel, webhooks", why);
            }
        }
        let failed = drive_crm::commands(home, &mut seen.places).await?;
        seen.did(
            "the commands that look at the CRM, the policy and what is kept; an export of the audit log",
        );
        if !failed.is_empty() {
            seen.not(
                &format!("to their end: {}", failed.join(", ")),
                "the commands said that something is not as it should be; try them by hand",
            );
        }
        self.crm_as_it_is(home, seen).await?;
        seen.places.extend(look::files(&home.folder, "while it ran")?);
        bridge.kill().await?;
        Ok(known)
    }

    /// What this CRM, as its profile says, can't be asked, and whether its changes are followed.
    async fn crm_as_it_is(&self, home: &Home, seen: &mut Seen) -> Result<(), ProveError> {
        let order = self.order;
        let operations = order.profile.operations();
        let all: Vec<&str> = operations
            .iter()
            .filter(|(_, _, operation)| operation.over_shares)
            .map(|(_, name, _)| name.as_str())
            .collect();
        if !all.is_empty() {
            seen.not(
                &format!("asking for nothing but the listed fields, in {}", all.join(", ")),
                "the profile says that this CRM can't be told what to send there (over_shares): of the walls below, `ask` does not \
                 stand for this CRM",
            );
        }
        if order.profile.person.changed.is_none() {
            seen.not("the following of changes", "the profile has no `changed`");
        } else if drive_crm::followed(home, &mut seen.places).await? {
            seen.did("the following of what changes in the CRM, with its own database");
        } else {
            seen.not(
                "the following of changes",
                "it met with trouble, did not come to its end in time, or is switched off (sync.enabled): try `sync run`",
            );
        }
        Ok(())
    }

    async fn hook(
        &self,
        bridge: &child::Bridge,
        tape: &mut Tape,
        seen: &mut Seen,
        crm_id: &str,
        (path, secret): (&str, &str),
    ) -> Result<(), ProveError> {
        let Some(rules) = self.order.profile.webhook.as_ref() else {
            seen.not("webhooks", "the profile has none");
            return Ok(());
        };
        let public_url = match self.order.public_url.trim_end_matches('/') {
            "" => "https://bridge.example.org",
            url => url,
        };
        let hook = Hook { rules, path, secret, public_url, now: self.order.clock.now() };
        if drive_crm::webhooks(&hook, bridge, tape, crm_id, &self.secrets()).await? {
            seen.did("webhooks that say more than an id, signed as agreed and not");
        } else {
            seen.not(
                "a webhook that is taken",
                "the bridge did not take one signed by this command; those that it refused were sent",
            );
        }
        Ok(())
    }

    fn secrets(&self) -> Vec<String> {
        self.markers.iter().map(|marker| marker.value.clone()).collect()
    }
}

/// A folder that is removed with all that is in it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(error = %error, "the folder of the driven bridge could not be removed");
        }
    }
}
