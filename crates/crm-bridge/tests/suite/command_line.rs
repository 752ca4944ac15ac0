//! The program itself.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crm_bridge::connector::profile::digest::Digests;

use crate::support::{CRM_KEY, sandbox};

fn bridge(folder: &Path, crm_url: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[database]\nurl = \"sqlite:{0}/bridge.db\"\n[ticket_service]\n\
         verify_key_file = \"{0}/public.pem\"\n[crm]\nbase_url = \"{crm_url}\"\nsecret = \"{CRM_KEY}\"\n[policy]\n\
         file = \"{1}/config/field-policy.toml\"\n[cache]\nkey_file = \"{0}/cache.key\"\n",
        folder.display(),
        root.display()
    );
    std::fs::write(folder.join("bridge.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crm-bridge"));
    command.arg("--config").arg(folder.join("bridge.toml"));
    command
}

fn output(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn the_program_checks_explains_serves_and_stops() {
    db_kit::testing::block_on(async {
        let (url, _crm) = sandbox();
        let folder = tempfile::tempdir().unwrap();
        let (ok, text) = output(bridge(folder.path(), &url).arg("check-config"));
        assert!(!ok && text.contains("verify_key_file") && text.contains("keys"), "{text}");

        let ids = service_kit::Ids::seeded(service_kit::Clock::system(), 1);
        let (_, public) = service_kit::token::generate_key_pair(&ids).unwrap();
        std::fs::write(folder.path().join("public.pem"), public).unwrap();
        let make_key = || {
            output(
                bridge(folder.path(), &url)
                    .args(["keys", "generate", "--cache"])
                    .arg(folder.path().join("cache.key")),
            )
        };
        assert!(make_key().0);
        assert!(!make_key().0, "a key is never overwritten");
        let (ok, text) = output(bridge(folder.path(), &url).arg("check-config"));
        assert!(ok, "{text}");
        let long = "k".repeat(32);
        let listens = ("CRM_API__LISTEN", "127.0.0.1:0");
        for (settings, says) in [
            (vec![("CRM__SECRETS__WEBHOOK", "")], "crm.secrets.webhook is empty"),
            (vec![("WEBHOOKS__PATH", long.as_str())], "set crm_api.listen"),
            (vec![listens, ("WEBHOOKS__PATH", long.as_str())], "set crm.secrets.webhook"),
            (vec![listens, ("WEBHOOKS__PATH", "a"), ("CRM__SECRETS__WEBHOOK", "key")], "can be guessed"),
        ] {
            let mut command = bridge(folder.path(), &url);
            command.arg("check-config");
            let settings = settings.iter().map(|(name, value)| (format!("GUICHET_BRIDGE__{name}"), *value));
            let (ok, text) = output(command.envs(settings));
            assert!(!ok && text.contains(says), "{says}: {text}");
        }

        let hooks_end = [
            ("CRM__PROFILE", "zoho"),
            ("CRM__SETTINGS__CLIENT_ID", "1000.X"),
            ("CRM__SETTINGS__DATA_CENTER", "eu"),
            ("CRM__SECRETS__REFRESH_TOKEN", "1000.y"),
        ];
        let settings = |given: &[(&'static str, &'static str)]| {
            let all: Vec<_> = hooks_end.iter().chain(given).copied().collect();
            all.into_iter().map(|(name, value)| (format!("GUICHET_BRIDGE__{name}"), value))
        };
        let (ok, text) = output(bridge(folder.path(), &url).arg("check-config").envs(settings(&[])));
        assert!(ok && text.contains("does not renew it, as webhooks.path is empty"), "{text}");
        let taken = [
            listens,
            ("WEBHOOKS__PATH", "p4th-that-nobody-guesses-0123456"),
            ("CRM__SECRETS__WEBHOOK", "key"),
        ];
        let (ok, text) = output(bridge(folder.path(), &url).arg("check-config").envs(settings(&taken)));
        assert!(!ok && text.contains("set crm_api.public_url"), "{text}");
        let taken = [&taken[..], &[("CRM_API__PUBLIC_URL", "https://desk.example")]].concat();
        let (ok, text) = output(bridge(folder.path(), &url).arg("check-config").envs(settings(&taken)));
        assert!(ok && !text.contains("note:"), "{text}");

        let (ok, text) = output(bridge(folder.path(), &url).args(["policy", "check"]));
        assert!(ok && text.contains("can be used with Sandbox CRM"), "{text}");
        let (ok, text) = output(bridge(folder.path(), &url).args(["policy", "explain"]));
        assert!(ok && text.contains("mask(2), reveal"), "{text}");
        let (ok, text) = output(bridge(folder.path(), &url).args(["profile", "list"]));
        assert!(ok && text.contains("Tryton 8"), "{text}");
        let (ok, text) = output(bridge(folder.path(), &url).arg("openapi"));
        assert!(ok && text.contains("/v1/resolve"), "{text}");
        let (ok, text) = output(bridge(folder.path(), &url).arg("migrate"));
        assert!(ok && text.contains("applied"), "{text}");

        let mut serving = bridge(folder.path(), &url)
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(serving.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        assert_eq!(http.get(format!("{address}/health/ready")).send().await.unwrap().status(), 200);
        let stopped = Command::new("kill").arg(serving.id().to_string()).status().unwrap();
        assert!(stopped.success() && serving.wait().unwrap().success());
    });
}

#[test]
fn a_dry_run_counts_and_prints_no_value() {
    db_kit::testing::block_on(async {
        let (url, _crm) = sandbox();
        let folder = tempfile::tempdir().unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        http.put(format!("{url}/debug/behaviour"))
            .json(&serde_json::json!({ "ignore_fields": true }))
            .send()
            .await
            .unwrap();
        let all =
            http.get(format!("{url}/api/v1/contacts?limit=200")).bearer_auth(CRM_KEY).send().await.unwrap();
        let all: serde_json::Value = serde_json::from_str(&all.text().await.unwrap()).unwrap();
        let mut command = bridge(folder.path(), &url);
        let run =
            tokio::task::spawn_blocking(move || output(command.args(["policy", "dry-run", "--count", "25"])));
        let (ok, text) = run.await.unwrap();
        assert!(ok, "{text}");
        assert!(text.starts_with("25 records read from Sandbox CRM"), "{text}");
        assert!(
            text.contains("over-sharing: the CRM sent") && text.contains("iban") && text.contains("deals"),
            "{text}"
        );
        for contact in all["items"].as_array().unwrap() {
            for member in ["full_name", "email", "phone"] {
                assert!(!text.contains(contact[member].as_str().unwrap()), "{member}");
            }
        }
    });
}

#[test]
fn a_policy_that_may_not_be_used_stops_the_program_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let mut file = std::fs::File::create(&policy).unwrap();
    write!(file, "[policy]\nname=\"t\"\nnumber=1\nowner=\"t\"\n\n[person.iban]\ntype=\"text\"\nchars_max=40\nshow=[\"line1\"]\n").unwrap();
    for command in [&["policy", "check"][..], &["policy", "explain"]] {
        let mut program = bridge(folder.path(), "http://127.0.0.1:9");
        let (ok, text) = output(program.args(command).env("GUICHET_BRIDGE__POLICY__FILE", &policy));
        assert!(!ok && text.contains("line 6") && text.contains("iban"), "{text}");
    }
}

#[test]
fn two_persons_bring_a_policy_into_force_from_the_command_line() {
    db_kit::testing::block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let run = |arguments: &[&str]| output(bridge(folder.path(), "http://127.0.0.1:9").args(arguments));
        for name in ["anna", "boris"] {
            let (ok, text) = run(&["keys", "generate", "--approver", &path(name)]);
            assert!(ok && text.contains("[policy.approvers]"), "{text}");
        }
        let two = |arguments: &[&str]| {
            let mut command = bridge(folder.path(), "http://127.0.0.1:9");
            let (anna, boris) = (path("anna.pub"), path("boris.pub"));
            let settings = std::fs::read_to_string(folder.path().join("bridge.toml")).unwrap();
            let more = format!(
                "[policy]\nsource = \"database\"\ntwo_persons = true\napprovers = {{ anna = \"{anna}\", boris = \"{boris}\" }}\n"
            );
            std::fs::write(folder.path().join("bridge.toml"), settings.replace("[policy]\n", &more)).unwrap();
            output(command.args(arguments))
        };
        let (file, anna, boris) = (path("p.toml"), path("anna"), path("boris"));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let text = std::fs::read_to_string(root.join("config/field-policy.toml")).unwrap();
        std::fs::write(&file, &text).unwrap();
        let (ok, text_1) = two(&["policy", "propose", &file, "--by", "anna", "--key", &anna]);
        assert!(ok && text_1.contains("next: a second person runs `crm-bridge policy approve"), "{text_1}");
        let (ok, refused) = two(&["policy", "activate", "--by", "anna", "--key", &anna]);
        assert!(!ok && refused.contains("only anna has signed it"), "{refused}");
        let (ok, approved) = two(&["policy", "approve", "1", "--by", "boris", "--key", &boris]);
        // Whoever signs is told from where the fields are taken, too.
        let sandbox = std::fs::read_to_string(root.join("config/profiles/sandbox.toml")).unwrap();
        let profile = Digests::of(&sandbox).whole;
        let profile = format!("with the profile sandbox, sha256 {profile}");
        assert!(ok && approved.contains(&profile) && text_1.contains(&profile), "{approved}");
        let (ok, active) = two(&["policy", "activate", "1", "--by", "boris", "--key", &boris]);
        assert!(ok && active.contains("is in force") && active.contains("signed by anna"), "{active}");
        let wider = text.replace("[person.mobile]\n", "[person.mobile] # wider\n").replace("show  = [\"line3\", \"supervisor\"]\nmask  = { roles = [\"line1\", \"line2\"], keep_last = 2, reveal = true }", "show  = [\"line1\", \"line2\", \"line3\", \"supervisor\"]").replace("number   = 1", "number   = 2");
        std::fs::write(path("wider.toml"), wider).unwrap();
        let (ok, diff) = two(&["policy", "diff", "active", &path("wider.toml")]);
        let sentence =
            "line1 now sees person.mobile in clear (was masked but for the last 2, in clear on request)";
        assert!(ok && diff.contains(sentence) && diff.contains(&profile), "{diff}");
        let (ok, history) = two(&["policy", "history"]);
        assert!(
            ok && history.contains("approvals, by boris  (now)")
                && history.contains("signed by anna with key"),
            "{history}"
        );
        let (ok, page) = two(&["policy", "explain", "active", "--format", "html", "--language", "ru"]);
        assert!(ok && page.contains("Одобрения") && page.contains("anna"), "{page}");
    });
}

#[test]
fn a_profile_is_begun_checked_and_tried_without_a_value_on_the_screen() {
    db_kit::testing::block_on(async {
        let (url, _crm) = sandbox();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("my-crm.toml");
        let name = file.display().to_string();
        let new = || {
            output(
                bridge(folder.path(), &url)
                    .args(["profile", "new", &name, "--like", "sandbox", "--title", "Our CRM"]),
            )
        };
        assert!(new().0);
        assert!(!new().0, "a file is never overwritten");
        let (ok, text) = output(bridge(folder.path(), &url).args(["profile", "check", &name]));
        assert!(ok && text.contains("Our CRM"), "{text}");
        let written = std::fs::read_to_string(&file).unwrap();
        std::fs::write(
            &file,
            written.replace("\"/full_name\"", "\"/iban\"").replace("size_max = 200", "size = 1"),
        )
        .unwrap();
        let (ok, text) = output(bridge(folder.path(), &url).args(["profile", "check", &name]));
        assert!(
            !ok && text.contains("never shown to support") && text.contains("unknown field `size`"),
            "{text}"
        );
        std::fs::write(&file, written).unwrap();
        let mut command = bridge(folder.path(), &url);
        command.args(["profile", "test", "--samples", "10"]).env("GUICHET_BRIDGE__CRM__PROFILE", &name);
        let (ok, text) = tokio::task::spawn_blocking(move || output(&mut command)).await.unwrap();
        assert!(ok && text.contains("the profile fits this CRM"), "{text}");
        assert!(text.contains("finds the sample: yes; 1 hits, 0 others") && !text.contains('@'), "{text}");
        let (ok, schema) = output(bridge(folder.path(), &url).args(["profile", "schema"]));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let checked_in =
            std::fs::read_to_string(root.join("api-spec/connector-profile.schema.json")).unwrap();
        assert!(ok && schema == checked_in, "run `cargo xtask codegen`");
    });
}
