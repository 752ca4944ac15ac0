//! What the types of a profile can't say: which holes may stand where, what must not be asked for, what belongs together.

mod gather;
mod plant;
mod webhook;

pub(super) use self::gather::other_templates;
use self::gather::{auth_headers, constant, members, widens};
use super::auth::{Auth, TokenPlace};
use super::operation::{Body, Gives, Operation, Parameter, Spot};
use super::paging::{Paging, PagingKind};
use super::template::{Escape, Hole, HoleName, Template, TicketHole};
use super::{CompanyPlace, Profile, Purpose, Sources};
use crate::policy::lexicon::{Lexicon, Severity};

/// The version of the grammar that this program reads.
const GRAMMAR: u32 = 2;
const NAME_CHARS_MAX: usize = 40;

/// What is wrong, and where in the file.
#[derive(Debug)]
pub(super) struct Fault {
    /// `person.one.query`
    pub(super) place: String,
    /// What is wrong and what to do.
    pub(super) message: String,
}

/// All that is wrong.
pub(super) fn check(profile: &Profile) -> Vec<Fault> {
    let mut checker = Checker { profile, faults: Vec::new() };
    checker.head();
    checker.settings();
    checker.hosts();
    checker.auth();
    checker.limits();
    checker.paging("paging", &profile.paging);
    for (purpose, place, operation) in profile.operations() {
        checker.operation(purpose, &place, operation);
    }
    checker.mapping();
    checker.children();
    checker.webhook();
    checker.plant();
    checker.faults
}

struct Checker<'p> {
    profile: &'p Profile,
    faults: Vec<Fault>,
}

impl Checker<'_> {
    fn fault(&mut self, place: &str, message: impl Into<String>) {
        self.faults.push(Fault { place: place.to_owned(), message: message.into() });
    }

    fn require(&mut self, right: bool, place: &str, message: &str) {
        if !right {
            self.fault(place, message);
        }
    }

    fn head(&mut self) {
        let head = &self.profile.head;
        let is_plain = head.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        self.require(
            is_plain && (1..=NAME_CHARS_MAX).contains(&head.name.len()),
            "profile.name",
            "a name has lower-case letters, digits and `-`, at most 40",
        );
        if head.grammar != GRAMMAR {
            let message =
                format!("this program reads grammar {GRAMMAR}; see crates/ARCHITECTURE.md, \"A CRM\"");
            self.fault("profile.grammar", message);
        }
        let prefixes = head.sensitive_prefixes.iter();
        let long = prefixes.filter(|prefix| prefix.chars().count() >= 2).count();
        self.require(
            long == head.sensitive_prefixes.len(),
            "profile.sensitive_prefixes",
            "a prefix has at least two letters",
        );
    }

    fn children(&mut self) {
        for (position, child) in self.profile.person.children.iter().enumerate() {
            self.require(
                child.parent.is_some() == child.parents.0.is_empty(),
                &format!("person.child.{position}"),
                "a child names its person in `parent`, or several people in `parents`",
            );
        }
    }

    fn settings(&mut self) {
        let profile = self.profile;
        let mut used: Vec<&HoleName> = Vec::new();
        let operations = profile.operations();
        for (_, _, operation) in &operations {
            used.extend(operation.holes().map(|hole| &hole.name));
        }
        let planting = profile.plant.iter().flat_map(|plant| plant.operations());
        planting.for_each(|(_, operation)| used.extend(operation.holes().map(|hole| &hole.name)));
        let renewal = profile.operation(Purpose::Renew);
        used.extend(renewal.into_iter().flat_map(|operation| operation.holes().map(|hole| &hole.name)));
        let others = other_templates(profile);
        used.extend(others.iter().flat_map(|(_, template)| template.holes()).map(|hole| &hole.name));
        for name in profile.settings.keys() {
            let place = format!("settings.{name}");
            let well_named = name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            self.require(well_named, &place, "a setting has lower-case letters, digits and `_` in its name");
            self.require(
                !HoleName::is_taken(name),
                &place,
                "this name has a meaning of its own in templates",
            );
            let is_used = used.iter().any(|hole| matches!(hole, HoleName::Setting(used) if used == name));
            self.require(is_used, &place, "no template uses this setting");
        }
        for (place, template) in &others {
            for hole in template.holes() {
                self.other_hole(place, hole);
            }
        }
    }

    /// A hole outside of the operations: settings and secrets only, and what belongs to the place.
    fn other_hole(&mut self, place: &str, hole: &Hole) {
        let in_auth = place.starts_with("auth.");
        let allowed = match &hole.name {
            HoleName::Setting(name) => {
                if !self.profile.settings.contains_key(name) {
                    self.fault(
                        place,
                        format!("`{{{name}}}` is neither a hole of the grammar nor in [settings]"),
                    );
                }
                true
            }
            HoleName::Secret(_) => in_auth && place != "auth.token",
            HoleName::Token => place.starts_with("auth.headers") || place.starts_with("auth.value"),
            HoleName::Method | HoleName::Path => place == "auth.message",
            _ => false,
        };
        if !allowed {
            self.fault(place, format!("`{{{}}}` has no meaning here", hole.name));
        }
        self.require(hole.escape.is_none(), place, "an escape has no meaning here");
    }

    fn hosts(&mut self) {
        let host = &self.profile.host;
        if let Some(base) = &host.base {
            let example = base.parts().iter().map(|part| match part {
                super::template::Part::Text(text) => text.as_str(),
                super::template::Part::Hole(_) => "x",
            });
            let is_address = url::Url::parse(&example.collect::<String>())
                .is_ok_and(|url| url.scheme() == "https" && url.has_host() && url.query().is_none());
            self.require(is_address, "host.base", "a base address begins with https:// and has no query");
        }
        let suffixes =
            host.from_token.iter().flat_map(|from| &from.suffixes).map(|one| ("host.from_token", one));
        for (place, suffix) in suffixes.chain(host.also.iter().map(|one| ("host.also", one))) {
            let name = suffix.strip_prefix('.').unwrap_or(suffix);
            let labels = name.split('.').count();
            let plain = name.split('.').all(|label| {
                !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            });
            self.require(
                plain
                    && labels >= 2
                    && !name.split('.').all(|label| label.chars().all(|c| c.is_ascii_digit())),
                place,
                "the end of a host name has at least two parts, such as \".salesforce.com\"",
            );
        }
        if host.from_token.as_ref().is_some_and(|from| from.suffixes.is_empty()) {
            self.fault("host.from_token", "name the ends of host names that the CRM may answer from");
        }
        if host.from_token.is_some() && !matches!(self.profile.auth, Auth::Oauth2(_)) {
            self.fault("host.from_token", "only kind = \"oauth2\" has a token answer");
        }
    }

    fn auth(&mut self) {
        let secret_somewhere = match &self.profile.auth {
            Auth::InPath => self.profile.operations().iter().any(|(_, _, operation)| {
                operation.path.segments().iter().any(|segment| is_secret(segment.only_hole()))
            }),
            Auth::Login(login) => login.request.holes().any(|hole| is_secret(Some(hole))),
            Auth::Hmac(_) => true,
            _ => other_templates(self.profile)
                .iter()
                .filter(|(place, _)| place.starts_with("auth."))
                .any(|(_, template)| template.holes().any(|hole| is_secret(Some(hole)))),
        };
        self.require(secret_somewhere, "auth", "`{secret}` stands nowhere, so nobody proves who asks");
        for (place, headers) in [("auth.headers", auth_headers(&self.profile.auth))] {
            for name in headers {
                self.header_name(place, name);
            }
        }
    }

    fn header_name(&mut self, place: &str, name: &str) {
        let well_formed =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let reserved = ["host", "content-length", "transfer-encoding", "connection", "te", "upgrade"];
        let is_reserved = reserved.iter().any(|word| name.eq_ignore_ascii_case(word));
        self.require(well_formed && !is_reserved, place, "this header can't be set");
    }

    fn limits(&mut self) {
        let limits = &self.profile.limits;
        self.require(
            limits.requests.is_some() == limits.per_ms.is_some(),
            "limits",
            "`requests` and `per_ms` belong together",
        );
        let sound = limits.requests.is_none_or(|requests| (1..=100_000).contains(&requests))
            && limits.per_ms.is_none_or(|ms| (1..=86_400_000).contains(&ms))
            && limits.at_once != Some(0)
            && limits.burst != Some(0);
        self.require(sound, "limits", "a limit is at least 1, and a window at most a day");
        for throttled in &limits.throttled {
            let sound =
                (200..600).contains(&throttled.status) && throttled.at.is_some() != throttled.is.is_empty();
            self.require(
                sound,
                "limits.throttled",
                "an entry has a status, and `at` with the codes in `is`, or neither of them",
            );
        }
    }

    fn paging(&mut self, place: &str, paging: &Paging) {
        self.require(paging.size_max > 0, place, "a page has at least one record");
        let links = matches!(paging.kind, PagingKind::NextLink | PagingKind::LinkHeader);
        let points = matches!(paging.kind, PagingKind::NextLink | PagingKind::Cursor);
        self.require(
            paging.next.is_some() == points,
            place,
            "`next` belongs to `cursor` and `next-link`, which need it",
        );
        self.require(
            links || (paging.keys.is_empty() && paging.paths.is_empty()),
            place,
            "`keys` and `paths` belong to `next-link` and `link-header`",
        );
        let rooted = paging.paths.iter().all(|path| path.starts_with('/') && !path.contains(".."));
        self.require(rooted, place, "`paths` begin with `/`");
        self.require(
            paging.delta.is_none() || (points && place == "person.gone.paging"),
            place,
            "`delta` belongs to `person.gone`, with `next-link` or `cursor`",
        );
        self.require(
            paging.first == 0 || paging.kind == PagingKind::Page,
            place,
            "`first` belongs to kind = \"page\"",
        );
    }

    fn operation(&mut self, purpose: Purpose, place: &str, operation: &Operation) {
        if let Some(paging) = &operation.paging {
            self.paging(&format!("{place}.paging"), paging);
        }
        for name in operation.headers.keys() {
            self.header_name(&format!("{place}.headers"), name);
            let speaks_for_us =
                ["authorization", "cookie"].iter().any(|word| name.eq_ignore_ascii_case(word));
            let message = "who asks is said in [auth] only";
            self.require(!speaks_for_us, &format!("{place}.headers"), message);
        }
        for (spot, template) in operation.templates() {
            self.template(purpose, place, spot, template);
        }
        self.holes_of(purpose, place, operation);
        let of_tombstones = operation
            .answer
            .as_ref()
            .is_some_and(|answer| answer.id.is_some() || answer.merged_into.is_some());
        self.require(
            !of_tombstones || purpose == Purpose::Gone,
            place,
            "`id` and `merged_into` in an answer belong to `person.gone`",
        );
        if purpose == Purpose::Activity {
            self.require(operation.body.is_some(), place, "an activity is posted");
        } else {
            self.widening(place, operation);
        }
    }

    /// Which holes an operation must have.
    fn holes_of(&mut self, purpose: Purpose, place: &str, operation: &Operation) {
        let need = match purpose {
            Purpose::One(_) => Some(HoleName::Id),
            Purpose::ByEmail | Purpose::ByPhone => Some(HoleName::Value),
            // The CRM's own mark says from when on.
            Purpose::Gone if self.profile.paging_of(operation).delta.is_some() => None,
            Purpose::Changed(_) | Purpose::Gone | Purpose::Child(_) => Some(HoleName::Since),
            _ => None,
        };
        if let Some(name) = need.filter(|name| !operation.has(name)) {
            self.fault(place, format!("`{{{name}}}` must stand in this operation"));
        }
        let gives_records = matches!(
            purpose,
            Purpose::One(_) | Purpose::ByEmail | Purpose::ByPhone | Purpose::Page(_) | Purpose::Changed(_)
        ) && operation.gives == Gives::Records;
        let selects = operation.has(&HoleName::Select);
        if self.profile.select.none {
            self.require(!selects, place, "[select] says `none`, so `{select}` has no meaning");
        } else if gives_records && !selects && !operation.over_shares {
            self.fault(
                place,
                "`{select}` stands nowhere; if the CRM can't be told what to send here, say `over_shares = true`",
            );
        }
        let ids_belong = matches!(purpose, Purpose::ByEmail | Purpose::ByPhone | Purpose::Changed(_));
        if operation.gives == Gives::Ids && !ids_belong {
            self.fault(place, "`gives = \"ids\"` belongs to by_email, by_phone and changed");
        }
        let pages =
            matches!(purpose, Purpose::Page(_) | Purpose::Changed(_) | Purpose::Gone | Purpose::Child(_));
        let hole = match self.profile.paging_of(operation).kind {
            PagingKind::Offset => HoleName::Offset,
            PagingKind::Page => HoleName::Page,
            PagingKind::Cursor => HoleName::Cursor,
            PagingKind::Keyset => HoleName::LastId,
            PagingKind::Range => HoleName::Range,
            PagingKind::Single | PagingKind::NextLink | PagingKind::LinkHeader => return,
        };
        if pages && !operation.has(&hole) {
            self.fault(
                place,
                format!("this paging needs `{{{hole}}}`; or give the operation a `paging` of its own"),
            );
        }
    }

    /// Which holes may stand in a template, and how they must be escaped there.
    fn template(&mut self, purpose: Purpose, place: &str, spot: Spot, template: &Template) {
        let alone = template.only_hole().is_some();
        for hole in template.holes() {
            if let Err(message) = self.may_stand(purpose, spot, alone, hole) {
                self.fault(place, format!("`{{{}}}`: {message}", written(hole)));
            }
        }
    }

    fn may_stand(&self, purpose: Purpose, spot: Spot, alone: bool, hole: &Hole) -> Result<(), String> {
        let ok = |right: bool, message: &str| if right { Ok(()) } else { Err(message.to_owned()) };
        let in_text = spot == Spot::Parameter || spot == Spot::Json;
        let of_renewal = matches!(
            &hole.name,
            HoleName::Hook(_) | HoleName::Setting(_) | HoleName::Secret(_) | HoleName::Token
        );
        ok(purpose != Purpose::Renew || of_renewal, "a renewal names no record and asks for none")?;
        let of_amounts = matches!(hole.escape, Some(Escape::Decimal | Escape::Micros));
        if of_amounts && !matches!(hole.name, HoleName::Marker(_)) {
            return Err("`:decimal` and `:micros` belong to an amount of [plant]".to_owned());
        }
        match &hole.name {
            HoleName::Setting(name) => {
                ok(
                    self.profile.settings.contains_key(name),
                    "neither a hole of the grammar nor in [settings]",
                )?;
                ok(hole.escape.is_none_or(Escape::is_for_values), "this escape is for lists of names")
            }
            HoleName::Secret(_) => match (&self.profile.auth, purpose, spot) {
                (Auth::InPath, _, Spot::Path) => ok(alone, "a secret in a path is a whole segment"),
                (Auth::Login(_), Purpose::Login, _) => ok(in_text && alone, "a secret is a whole parameter"),
                // Some want the key beside the session in every body.
                (Auth::Login(login), _, Spot::Json) if login.place == TokenPlace::Holes => {
                    ok(alone, "a secret is a whole member")
                }
                _ => Err("a secret stands in [auth] only".to_owned()),
            },
            HoleName::Token => {
                let by_holes =
                    matches!(&self.profile.auth, Auth::Login(login) if login.place == TokenPlace::Holes);
                let right = by_holes && purpose != Purpose::Login && in_text && alone;
                ok(right, "a token is a whole parameter of a request that has a session")
            }
            HoleName::Select => {
                ok(in_text, "the selection stands in a parameter or in the body")?;
                match hole.escape {
                    None => ok(
                        alone && spot == Spot::Json,
                        "say how names are joined: `:comma`, `:repeat`, `:json` or `:graphql`",
                    ),
                    Some(Escape::Repeat) => {
                        ok(alone && spot == Spot::Parameter, "`:repeat` is a whole parameter")
                    }
                    Some(escape) => ok(escape.is_for_names(), "this escape is for values"),
                }
            }
            HoleName::Size | HoleName::Offset | HoleName::Page | HoleName::Range => {
                ok(hole.escape.is_none(), "a number needs no escape")?;
                ok(spot != Spot::Path, "a page is not part of the path")
            }
            HoleName::Since => ok(
                hole.escape.is_none_or(Escape::is_for_values) && spot != Spot::Path,
                "this escape is for lists of names",
            ),
            HoleName::Id if spot == Spot::Path => {
                ok(hole.escape.is_none(), "in a path there is no escape; it is encoded")
            }
            HoleName::Marker(_) | HoleName::Made(_) => self.planted_hole(purpose, hole),
            HoleName::Hook(own) => self.hook_hole(purpose, in_text && alone, hole.escape, *own),
            HoleName::Method | HoleName::Path => Err("belongs to kind = \"hmac\" in [auth]".to_owned()),
            HoleName::Ticket(_) if purpose != Purpose::Activity => Err("belongs to [activity]".to_owned()),
            HoleName::Ticket(_) if spot == Spot::Path => ok(alone, "in a path this is a whole segment"),
            _ if hole.escape == Some(Escape::Html) && !matches!(hole.name, HoleName::Ticket(_)) => {
                Err("`:html` belongs to [activity]".to_owned())
            }
            // A subject is anybody's text; in JSON it can't end what it stands in. The others are the bridge's own words.
            HoleName::Ticket(TicketHole::Subject) if hole.escape.is_none() && spot == Spot::Json => Ok(()),
            HoleName::Ticket(other) if hole.escape.is_none() && in_text && *other != TicketHole::Subject => {
                Ok(())
            }
            // An id of plain letters; others are not sent.
            HoleName::Id | HoleName::LastId if hole.escape.is_none() && in_text => Ok(()),
            HoleName::Id | HoleName::Value | HoleName::LastId | HoleName::Cursor | HoleName::Ticket(_) => {
                ok(in_text, "this stands in a parameter or in the body")?;
                match hole.escape {
                    None => ok(
                        alone,
                        "inside a longer text say how it is escaped: `:odata`, `:soql`, `:sql` or `:json`",
                    ),
                    Some(Escape::Plain) => ok(alone, "`:plain` is for a hole that is the whole parameter"),
                    Some(escape) => ok(escape.is_for_values(), "this escape is for lists of names"),
                }
            }
        }
    }

    /// Nothing in a request may ask for more than the selection names.
    fn widening(&mut self, place: &str, operation: &Operation) {
        let mut constants: Vec<(String, String)> = Vec::new();
        let mut parameters = |list: &std::collections::BTreeMap<String, Parameter>| {
            for (key, parameter) in list {
                match parameter {
                    Parameter::Text(template) => constants.push((key.clone(), constant(template))),
                    Parameter::Json(tree) | Parameter::Base64Json(tree) => {
                        constants.push((key.clone(), String::new()));
                        members(tree, key, &mut constants);
                    }
                }
            }
        };
        parameters(&operation.query);
        match &operation.body {
            Some(Body::Form(form)) => parameters(form),
            Some(Body::Json(tree)) => members(tree, "", &mut constants),
            None => {}
        }
        for (key, value) in constants {
            if widens(&key, &value) {
                self.fault(place, format!("`{key}` asks for more than is listed; leave it out"));
            }
            let squeezed: String =
                value.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
            if value.contains('*') || squeezed.contains("fields(") {
                self.fault(place, format!("`{key}` has a star or FIELDS(), which ask for everything"));
            }
        }
    }

    fn mapping(&mut self) {
        let profile = self.profile;
        let lexicon = match Lexicon::with(&profile.deny.words) {
            Ok(lexicon) => lexicon,
            Err(message) => return self.fault("deny.words", message),
        };
        let company = profile
            .company
            .iter()
            .flat_map(|company| &company.fields)
            .map(|(name, sources)| ("company", name, sources));
        let person = profile.person.fields.iter().map(|(name, sources)| ("person", name, sources));
        for (table, name, sources) in person.chain(company) {
            self.sources(&format!("{table}.fields.{name}"), sources, &lexicon);
        }
        self.sources("person.match.email", &profile.person.r#match.email, &lexicon);
        self.sources("person.match.phone", &profile.person.r#match.phone, &lexicon);
        self.sources("person.merged_from", &profile.person.merged_from, &lexicon);
        self.require(
            !profile.person.r#match.email.0.is_empty(),
            "person.match.email",
            "name at least one place",
        );
        if profile.person.by_phone.is_some() && profile.person.r#match.phone.0.is_empty() {
            self.fault("person.match", "by_phone needs `phone`, to check that a hit is a hit");
        }
        let both = profile
            .operations()
            .iter()
            .any(|(purpose, _, _)| *purpose == Purpose::Changed(crate::policy::Entity::Person));
        if both && profile.person.updated_at.is_none() {
            self.fault("person.changed", "`changed` needs `person.updated_at`");
        }
        if let Some(CompanyPlace::Linked(linked)) = profile.company.as_ref().map(|company| &company.place) {
            let sound = linked.changed.is_none() || linked.updated_at.is_some();
            self.require(sound, "company.changed", "`changed` needs `company.updated_at`");
        }
        let separator = &profile.select.separator;
        self.require(
            !separator.is_empty() && separator.len() <= 2 && separator.chars().all(|c| "./:_-".contains(c)),
            "select.separator",
            "a separator is `.`, `/`, `:`, `_` or `-`",
        );
    }

    fn sources(&mut self, place: &str, sources: &Sources, lexicon: &Lexicon) {
        for source in &sources.0 {
            let paths = source.paths().into_iter().map(|path| path.join("."));
            for name in paths.chain(source.label.clone()) {
                if let Some(finding) =
                    lexicon.judge(&name).filter(|finding| finding.severity == Severity::Hard)
                {
                    let message =
                        format!("`{name}`: `{}` ({}) is never shown to support", finding.word, finding.group);
                    self.fault(place, message);
                }
            }
        }
    }
}

fn is_secret(hole: Option<&Hole>) -> bool {
    hole.is_some_and(|hole| matches!(hole.name, HoleName::Secret(_)))
}

fn written(hole: &Hole) -> String {
    hole.escape.map_or_else(|| hole.name.to_string(), |escape| format!("{}:{}", hole.name, escape.as_str()))
}
