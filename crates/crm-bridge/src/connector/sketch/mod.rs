//! Begins a profile for a CRM that nobody has seen: a few answers of the person who connects it, and the shape of one
//! answer of the CRM, become a filled-in template with its comments. What it can't know stays as the template has it.

mod edit;
mod fill;
mod guess;
mod sample;

use serde_json::Value;

use self::edit::{Lines, quoted};
use self::guess::{Guess, Pages};
use super::profile::{BUILT_IN, Profile};

/// The profile that is filled in.
const TEMPLATE: &str = "generic-rest";

/// How the bridge says who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// `Authorization: Bearer KEY`
    Bearer,
    /// The key in a header of that name.
    Header(String),
    /// HTTP Basic: a user name, and the key as password.
    Basic,
    /// OAuth 2 client credentials, with tokens from that path.
    ClientCredentials(String),
}

impl std::str::FromStr for Proof {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':').unwrap_or((text, "")) {
            ("bearer", "") => Ok(Self::Bearer),
            ("basic", "") => Ok(Self::Basic),
            ("header", name) if !name.is_empty() => Ok(Self::Header(name.to_owned())),
            ("client-credentials", path) if path.starts_with('/') => {
                Ok(Self::ClientCredentials(path.to_owned()))
            }
            _ => {
                Err("say `bearer`, `header:X-Api-Key`, `basic`, or `client-credentials:/oauth/token`"
                    .to_owned())
            }
        }
    }
}

/// What the person who connects the CRM knows of it. All of it can be left out.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Where the CRM is.
    pub base_url: Option<String>,
    /// How the bridge says who it is.
    pub proof: Option<Proof>,
    /// The path of the list of people.
    pub list: Option<String>,
    /// The parameter that finds people by their address.
    pub email_parameter: Option<String>,
    /// The parameter that finds people by their number; empty: there is none.
    pub phone_parameter: Option<String>,
    /// The parameter for what has changed since; empty: there is none.
    pub changed_parameter: Option<String>,
    /// The parameter for the number of records a page; empty: there is none.
    pub size_parameter: Option<String>,
    /// The parameter that asks for another page, where pages have numbers, offsets or cursors.
    pub page_parameter: Option<String>,
    /// The parameter that says which members to send, with commas between.
    pub select_parameter: Option<String>,
}

/// A profile that was begun.
#[derive(Debug)]
pub struct Sketch {
    /// The file.
    pub text: String,
    /// What was understood and what is left to do, a line each; without a value of the sample.
    pub notes: Vec<String>,
}

/// Answers of the CRM that are read for their shape.
#[derive(Debug, Clone, Copy, Default)]
pub struct Samples<'a> {
    /// A list of people, or one of them.
    pub list: Option<&'a Value>,
    /// One of them, where the first is a list: what stands around it.
    pub one: Option<&'a Value>,
}

/// Begins a profile.
///
/// # Errors
/// A sentence.
pub fn sketch(name: &str, title: &str, known: &Known, samples: Samples<'_>) -> Result<Sketch, String> {
    let (_, template) =
        BUILT_IN.iter().find(|(built_in, _)| *built_in == TEMPLATE).ok_or("the template is missing")?;
    let guess = match samples.list {
        None => None,
        Some(list) => Some(Guess::of(list, samples.one)?),
    };
    let mut lines = Lines::new(template);
    lines.set("profile", "name", Some(&quoted(name)));
    lines.set("profile", "title", Some(&quoted(title)));
    lines.set("profile", "known", Some("[\"begun from one answer of the CRM: nothing is checked yet\"]"));
    who(&mut lines, known);
    if let Some(guess) = &guess {
        guess.write(&mut lines);
    }
    let left_out = requests(&mut lines, known, guess.as_ref());
    let text = lines.text();
    if let Err(errors) = Profile::load(&text) {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        return Err(format!("the profile would have errors: {}", errors.join("; ")));
    }
    let notes = guess.map(|guess| guess.notes()).unwrap_or_default().into_iter().chain(left_out);
    Ok(Sketch { text, notes: notes.collect() })
}

fn who(lines: &mut Lines, known: &Known) {
    let mut before = Vec::new();
    // Without encryption, or with a port of this machine, it is a matter of the settings.
    if let Some(base) = known.base_url.as_ref().filter(|base| base.starts_with("https://")) {
        before.extend(["[host]".to_owned(), format!("base = {}", quoted(base))]);
    }
    match &known.proof {
        None | Some(Proof::Bearer) => {}
        Some(Proof::Header(name)) => {
            lines.set("auth", "headers", Some(&format!("{{ {} = \"{{secret}}\" }}", quoted(name))));
        }
        Some(Proof::Basic) => {
            let user = "[settings]\nuser = \"the user name of the bridge in the CRM\"";
            before.extend(user.lines().map(str::to_owned));
            let basic = ["kind     = \"basic\"", "user     = \"{user}\"", "password = \"{secret}\""];
            lines.fill("auth", basic.map(str::to_owned).to_vec());
        }
        Some(Proof::ClientCredentials(path)) => {
            let client = "[settings]\nclient_id = \"the client id of the bridge in the CRM\"";
            before.extend(client.lines().map(str::to_owned));
            let oauth = [
                "kind          = \"oauth2\"".to_owned(),
                "grant         = \"client-credentials\"".to_owned(),
                format!("token         = {}", quoted(path)),
                "client_id     = \"{client_id}\"".to_owned(),
                "client_secret = \"{secret}\"".to_owned(),
            ];
            lines.fill("auth", oauth.to_vec());
        }
    }
    if !before.is_empty() {
        lines.insert_behind("profile", before);
    }
}

/// The parameter that asks for another page, what stands in it, and what is to be said of it. A name that the person gave counts
/// also where the sample shows no pages.
fn pages(lines: &mut Lines, known: &Known, guess: Option<&Guess>) -> (Option<(String, String)>, Vec<String>) {
    let given = known.page_parameter.as_deref().map(str::trim);
    if let Some((usual, hole)) = guess.and_then(Guess::page_parameter) {
        let name = given.unwrap_or(usual);
        return ((!name.is_empty()).then(|| (name.to_owned(), hole.to_owned())), Vec::new());
    }
    let Some(name) = given.filter(|name| !name.is_empty()) else { return (None, Vec::new()) };
    if guess.is_some_and(|guess| matches!(guess.pages, Pages::NextLink(_))) {
        let note =
            format!("`{name}` is not used: the sample has the address of the next page, which is followed");
        return (None, vec![note]);
    }
    lines.set("paging", "kind", Some("\"page\""));
    lines.set("paging", "first", Some("1"));
    let note = format!(
        "pages are taken to be numbered from 1 on by `{name}`, which the sample does not show: compare [paging] with the CRM"
    );
    (Some((name.to_owned(), "{page}".to_owned())), vec![note])
}

/// Part 7: what can be asked. Answers a line for each that was asked for and had to be left out.
fn requests(lines: &mut Lines, known: &Known, guess: Option<&Guess>) -> Vec<String> {
    let asked = |given: &Option<String>, usual: &str| {
        let name = given.as_deref().unwrap_or(usual).trim();
        (!name.is_empty()).then(|| name.to_owned())
    };
    if known.list.is_none() && guess.is_none() {
        return Vec::new();
    }
    let list = known.list.as_deref().unwrap_or("/contacts").trim_end_matches('/');
    let list = if list.starts_with('/') { list.to_owned() } else { format!("/{list}") };
    let size = asked(&known.size_parameter, "per_page").map(|name| (name, "{size}".to_owned()));
    let select = asked(&known.select_parameter, "").map(|name| (name, "{select:comma}".to_owned()));
    let (page, about_pages) = pages(lines, known, guess);
    let request = |path: &str, parameters: Vec<(String, String)>| {
        let query: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{} = {}", quoted(name), quoted(value))).collect();
        let query =
            if query.is_empty() { String::new() } else { format!(", query = {{ {} }}", query.join(", ")) };
        format!("{{ get = {}{query} }}", quoted(path))
    };
    let by = |parameter: Option<String>, hole: &str, paged: bool| {
        let parameter = parameter.map(|name| (name, format!("{{{hole}}}")))?;
        let page = page.clone().filter(|_| paged);
        Some(std::iter::once(parameter).chain(size.clone()).chain(page).chain(select.clone()).collect())
    };
    let line = |parameters: Option<Vec<(String, String)>>| parameters.map(|list_of| request(&list, list_of));
    let one = request(&format!("{list}/{{id}}"), select.clone().into_iter().collect());
    lines.set("person", "one", Some(&one));
    let email = line(by(asked(&known.email_parameter, "email"), "value", false));
    lines.set("person", "by_email", email.as_deref());
    let phone = line(by(asked(&known.phone_parameter, "phone"), "value", false));
    let mut left_out = about_pages;
    // What the person said is kept in sight where the sample does not show what it needs.
    let mut only_with = |is_shown: bool, is_said: bool, key: &str, needs: &str, line: Option<String>| {
        let shown = line.as_ref().filter(|_| is_shown);
        lines.set("person", key, shown.map(String::as_str));
        if let (true, false, Some(line)) = (is_said, is_shown, &line) {
            lines.remark("person", &format!("{key} = {line}   # needs {needs}"));
            left_out.push(format!(
                "`{key}` stands in the file as a comment: it needs {needs}, which the sample does not show"
            ));
        }
    };
    let said = |given: &Option<String>| given.as_ref().is_some_and(|name| !name.trim().is_empty());
    let (has_phone, has_times) = (guess.is_none_or(Guess::has_phone), guess.is_none_or(Guess::has_times));
    only_with(has_phone, said(&known.phone_parameter), "by_phone", "`phone` in [person.match]", phone);
    let changed = line(by(asked(&known.changed_parameter, "updated_since"), "since", true));
    only_with(has_times, said(&known.changed_parameter), "changed", "`updated_at` in [person]", changed);
    let all = request(&list, size.clone().into_iter().chain(page.clone()).chain(select.clone()).collect());
    lines.set("person", "page", Some(&all));
    if select.is_some() {
        lines.set("select", "none", None);
    }
    left_out
}

#[cfg(test)]
mod tests;
