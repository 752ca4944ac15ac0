//! `profile new`: begins a profile from a few answers and one answer of the CRM. On a terminal it asks; everywhere else the
//! options say all.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use crm_bridge::connector::profile::{BUILT_IN, Profile};
use crm_bridge::connector::sketch::{Known, Proof, Samples, Sketch, sketch};

/// Largest sample.
const SAMPLE_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(clap::Args)]
pub(crate) struct NewArguments {
    /// Where to write it, such as my-crm.toml
    file: PathBuf,
    /// The profile to start from; see `profile list`. Only generic-rest can be filled in
    #[arg(long, default_value = "generic-rest", value_name = "NAME")]
    like: String,
    /// Name of the CRM, for people
    #[arg(long)]
    title: Option<String>,
    /// A file with one answer of the CRM as JSON, a list of people or one of them. It is read for its shape; no value is kept
    #[arg(long, value_name = "FILE")]
    sample: Option<PathBuf>,
    /// Where the sample is a list: a file with one answer for a single person, to see what stands around the record
    #[arg(long, value_name = "FILE", requires = "sample")]
    one: Option<PathBuf>,
    /// Address of the CRM, what stands before the paths
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// bearer, header:NAME, basic, or client-credentials:/PATH
    #[arg(long)]
    auth: Option<Proof>,
    /// Path of the list of people, such as /v1/clients
    #[arg(long, value_name = "PATH")]
    list: Option<String>,
    /// Its parameter that finds people by their address [default: email]
    #[arg(long, value_name = "NAME")]
    email_parameter: Option<String>,
    /// The one that finds them by their number; "" if there is none [default: phone]
    #[arg(long, value_name = "NAME")]
    phone_parameter: Option<String>,
    /// The one for what has changed since a time; "" if there is none [default: updated_since]
    #[arg(long, value_name = "NAME")]
    changed_parameter: Option<String>,
    /// The one for the number of records a page; "" if there is none [default: per_page]
    #[arg(long, value_name = "NAME")]
    size_parameter: Option<String>,
    /// The one that asks for another page [default: page, offset or cursor, as the sample shows]
    #[arg(long, value_name = "NAME")]
    page_parameter: Option<String>,
    /// The one that says which members to send, with commas between, if there is one
    #[arg(long, value_name = "NAME")]
    select_parameter: Option<String>,
}

impl NewArguments {
    fn known(&self) -> Known {
        Known {
            base_url: self.base_url.clone(),
            proof: self.auth.clone(),
            list: self.list.clone(),
            email_parameter: self.email_parameter.clone(),
            phone_parameter: self.phone_parameter.clone(),
            changed_parameter: self.changed_parameter.clone(),
            size_parameter: self.size_parameter.clone(),
            page_parameter: self.page_parameter.clone(),
            select_parameter: self.select_parameter.clone(),
        }
    }

    fn says_nothing(&self) -> bool {
        let known = self.known();
        let texts = [
            &known.base_url,
            &known.list,
            &known.email_parameter,
            &known.phone_parameter,
            &known.changed_parameter,
            &known.size_parameter,
            &known.page_parameter,
            &known.select_parameter,
            &self.title,
        ];
        texts.iter().all(|text| text.is_none()) && known.proof.is_none() && self.sample.is_none()
    }
}

pub(super) fn run(arguments: &NewArguments) -> Result<ExitCode> {
    let file = &arguments.file;
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name.is_empty() || file.extension().is_none_or(|extension| extension != "toml") {
        bail!("{}: give the file a name such as my-crm.toml", file.display());
    }
    if file.exists() {
        bail!("{} is there already; an existing file is never overwritten", file.display());
    }
    let begun = if arguments.like == "generic-rest" {
        begin(arguments, name)?
    } else if arguments.sample.is_some() || arguments.list.is_some() || arguments.auth.is_some() {
        bail!("{} is complete; only generic-rest is filled in", arguments.like);
    } else {
        Sketch { text: copy(&arguments.like, name, arguments.title.as_deref())?, notes: Vec::new() }
    };
    let created = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
    let mut output = created.with_context(|| format!("{} can't be made", file.display()))?;
    output.write_all(begun.text.as_bytes())?;
    begun.notes.iter().for_each(|note| println!("{note}"));
    println!("wrote {}", file.display());
    println!("next: go through it from top to bottom, then `crm-bridge profile check {}`;", file.display());
    println!(
        "put this into the settings and run `crm-bridge profile test`:\n\n[crm]\nprofile     = \"{}\"",
        file.display()
    );
    if !begun.text.contains("\n[host]") {
        println!("base_url    = \"{}\"", arguments.base_url.as_deref().unwrap_or("https://…"));
    }
    println!("secret_file = \"crm.key\"");
    Ok(ExitCode::SUCCESS)
}

fn begin(arguments: &NewArguments, name: &str) -> Result<Sketch> {
    let asks = arguments.says_nothing() && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let said = if asks {
        ask(name, &mut std::io::stdin().lock())?
    } else {
        Said {
            title: arguments.title.clone(),
            known: arguments.known(),
            list: arguments.sample.as_deref().map(read_sample).transpose()?,
            one: arguments.one.as_deref().map(read_sample).transpose()?,
        }
    };
    let title = said.title.unwrap_or_else(|| "A REST CRM".to_owned());
    let samples = Samples { list: said.list.as_ref(), one: said.one.as_ref() };
    sketch(name, &title, &said.known, samples).map_err(anyhow::Error::msg)
}

/// What the person who connects the CRM says.
struct Said {
    title: Option<String>,
    known: Known,
    list: Option<serde_json::Value>,
    one: Option<serde_json::Value>,
}

fn read_sample(file: &Path) -> Result<serde_json::Value> {
    let about = file.metadata().with_context(|| format!("the sample {}", file.display()))?;
    if about.len() > SAMPLE_BYTES_MAX {
        bail!("{}: one answer with a few records will do", file.display());
    }
    let bytes = std::fs::read(file).with_context(|| format!("the sample {}", file.display()))?;
    // What serde_json says quotes nothing but a position.
    serde_json::from_slice(&bytes).map_err(|error| {
        anyhow::anyhow!("{} is no JSON (line {}, column {})", file.display(), error.line(), error.column())
    })
}

/// Asks on the terminal; an empty line takes what stands in brackets.
fn ask(name: &str, input: &mut impl BufRead) -> Result<Said> {
    println!(
        "A few questions; Enter takes what stands in brackets. Everything can be changed in the file later.\n"
    );
    let mut line = |question: &str, usual: &str| -> Result<String> {
        print!("{question} [{usual}]: ");
        std::io::stdout().flush()?;
        let mut text = String::new();
        input.read_line(&mut text)?;
        let text = text.trim();
        Ok(if text.is_empty() { usual.to_owned() } else { text.to_owned() })
    };
    let title = line("Name of the CRM", name)?;
    let base_url = line("Its address, what stands before the paths", "https://crm.example.org")?;
    let proof = loop {
        let text = line(
            "How does the bridge say who it is? bearer, header:NAME, basic, client-credentials:/PATH",
            "bearer",
        )?;
        match text.parse::<Proof>() {
            Ok(proof) => break proof,
            Err(sentence) => println!("{sentence}"),
        }
    };
    let path = line("Path of the list of people", "/contacts")?;
    println!("Now the names of its parameters; a dash means that there is none.");
    let mut parameter = |question: &str, usual: &str| -> Result<Option<String>> {
        let text = line(question, usual)?;
        Ok(Some(if text == "-" { String::new() } else { text }))
    };
    let email_parameter = parameter("  finds people by their address", "email")?;
    let phone_parameter = parameter("  finds people by their number", "phone")?;
    let changed_parameter = parameter("  what has changed since", "updated_since")?;
    let size_parameter = parameter("  records a page", "per_page")?;
    let page_parameter = parameter("  another page, if it has one", "as the sample shows")?;
    let page_parameter = page_parameter.filter(|name| name != "as the sample shows");
    let select_parameter = parameter("  which members to send, with commas between", "-")?;
    let mut sample = |question: &str| loop {
        let file = line(question, "none")?;
        if file == "none" {
            return Ok::<_, anyhow::Error>(None);
        }
        match read_sample(Path::new(&file)) {
            Ok(sample) => return Ok(Some(sample)),
            Err(error) => println!("{error:#}"),
        }
    };
    let list = sample("A file with an answer of the CRM (JSON), made with curl: a list of people")?;
    let one = match list {
        Some(_) => sample("A file with its answer for one of them")?,
        None => None,
    };
    let known = Known {
        base_url: Some(base_url),
        proof: Some(proof),
        list: Some(path),
        email_parameter,
        phone_parameter,
        changed_parameter,
        size_parameter,
        page_parameter,
        select_parameter,
    };
    println!();
    Ok(Said { title: Some(title), known, list, one })
}

/// A profile that ships under another name and title.
fn copy(like: &str, name: &str, title: Option<&str>) -> Result<String> {
    let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == like) else {
        bail!("there is no profile `{like}` to start from; see `crm-bridge profile list`");
    };
    let text = renamed(text, name, title);
    match Profile::load(&text) {
        Ok(_) => Ok(text),
        Err(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            bail!("the new profile would have errors: {}", errors.join("; "))
        }
    }
}

/// The profile with another name and title in its first table.
fn renamed(text: &str, name: &str, title: Option<&str>) -> String {
    let (mut name_due, mut title_due) = (true, title.is_some());
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let lines = text.lines().map(|line| {
        let key = line.split('=').next().unwrap_or_default().trim_end();
        let begin = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
        if name_due && key == "name" {
            name_due = false;
            return format!("{}= {}", begin(line), quoted(name));
        }
        if title_due && key == "title" {
            title_due = false;
            return format!("{}= {}", begin(line), quoted(title.unwrap_or_default()));
        }
        line.to_owned()
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
