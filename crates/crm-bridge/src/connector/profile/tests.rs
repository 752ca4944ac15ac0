//! What a profile may say, and that its errors name the line.

use super::*;

fn errors(text: &str) -> Vec<String> {
    Profile::load(text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// The sandbox profile with one line replaced by another.
fn with_line(begins: &str, line: &str) -> (usize, Vec<String>) {
    let text = BUILT_IN[0].1;
    let number = text.lines().position(|known| known.starts_with(begins)).unwrap() + 1;
    let old = text.lines().nth(number - 1).unwrap();
    (number, errors(&text.replacen(old, line, 1)))
}

#[test]
fn the_profiles_that_ship_can_be_read() {
    let faults = BUILT_IN
        .iter()
        .flat_map(|(name, text)| errors(text).into_iter().map(move |error| format!("{name}, {error}")));
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for (name, text) in BUILT_IN {
        let profile = Profile::load(text).unwrap();
        assert_eq!(profile.head.name, *name);
        assert!(!profile.head.rights.is_empty(), "{name} says which rights its user needs");
    }
}

#[test]
fn all_errors_are_named_at_once_each_with_its_line() {
    let text = BUILT_IN[0]
        .1
        .replace("grammar = 2", "grammar = 1")
        .replace("[auth]", "surprise = 1\n\n[auth]\nrealm = \"x\"")
        .replace("get = \"/api/v1/contacts/{id}\"", "delete = \"/x\"")
        .replace("size_max = 200", "size_max = 0");
    let errors = errors(&text);
    let has = |what: &str| errors.iter().any(|error| error.contains(what));
    assert!(has("realm") && has("delete"), "{errors:?}");
    assert!(has("unknown field `surprise`"), "{errors:?}");
    assert!(errors.iter().all(|error| !error.starts_with("line 1:")), "{errors:?}");
    let text = BUILT_IN[0]
        .1
        .replace("kind     = \"cursor\"", "kind = \"scroll\"")
        .replace("\"/full_name\"", "\"/iban\"");
    let errors = self::errors(&text);
    assert_eq!(errors.len(), 2, "a wrong form does not hide a wrong meaning: {errors:?}");
}

#[test]
fn a_slip_is_named_with_its_line_and_what_to_do() {
    for (begins, line, says) in [
        (
            "by_email",
            "by_email = { get = \"/c\", query = { email = \"{value}\" } }",
            "`{select}` stands nowhere",
        ),
        (
            "by_email",
            "by_email = { get = \"/c\", query = { f = \"{select:comma}\" } }",
            "`{value}` must stand",
        ),
        (
            "by_email",
            "by_email = { get = \"/c\", query = { q = \"a {value} b\", f = \"{select:comma}\" } }",
            "say how it is escaped",
        ),
        (
            "by_email",
            "by_email = { get = \"/c\", query = { q = \"{value}\", f = \"{select}\" } }",
            "say how names are joined",
        ),
        (
            "by_email",
            "by_email = { get = \"/c\", query = { q = \"{value}\", f = \"{select:comma}\", a = \"{tenant}\" } }",
            "nor in [settings]",
        ),
        (
            "by_email",
            "by_email = { get = \"/c\", query = { q = \"{value}\", f = \"{select:comma}\", a = \"{secret}\" } }",
            "in [auth] only",
        ),
        (
            "by_email",
            "by_email = { get = \"/c/{value}\", query = { f = \"{select:comma}\" } }",
            "in a parameter or in the body",
        ),
        (
            "by_email",
            "by_email = { get = \"/c\", headers = { Authorization = \"x\" }, query = { q = \"{value}\", f = \"{select:comma}\" } }",
            "[auth] only",
        ),
        ("page", "page = { get = \"/c\", query = { f = \"{select:comma}\" } }", "needs `{cursor}`"),
        (
            "changed",
            "changed = { get = \"/c\", query = { cursor = \"{cursor}\", f = \"{select:comma}\" } }",
            "`{since}` must stand",
        ),
        ("one ", "one = { get = \"/c\", query = { f = \"{select:comma}\" } }", "`{id}` must stand"),
        ("name           =", "name = \"/company/iban\"", "never shown to support"),
        ("name           =", "name = { each = \"/invoices\", take = \"/name\" }", "never shown to support"),
        (
            "name           =",
            "name = { at = \"/ufcrm1\", label = \"Credit limit\" }",
            "never shown to support",
        ),
        ("name           =", "name = { at = \"/a\", each = \"/b\" }", "one of `at`, `each` and `join`"),
        ("name           =", "name = { at = \"/a\", as = \"money\" }", "unknown variant `money`"),
        ("name           =", "name = \"/a/*\"", "no star"),
        ("size_max", "size_max = 0", "at least one record"),
        ("kind     = \"cursor\"", "kind = \"scroll\"", "unknown variant `scroll`"),
    ] {
        let (number, errors) = with_line(begins, line);
        let expected = format!("line {number}:");
        assert!(
            errors
                .iter()
                .any(|error| error.contains(says)
                    && (error.starts_with(&expected) || begins.starts_with("size"))),
            "{line}: {errors:?}"
        );
    }
}

#[test]
fn what_would_ask_for_more_than_is_listed_is_refused() {
    for (key, value) in [
        ("associations", "deals"),
        ("with", "leads"),
        ("include", "deals"),
        ("include_fields", "x"),
        ("include[]", "x"),
        ("$expand", "deals"),
        ("expand", "deals"),
        ("depth", "1"),
        ("view", "full"),
        ("include_child", "true"),
        ("propertiesWithHistory", "a"),
        ("fields", "*"),
        ("q", "SELECT FIELDS(ALL) FROM Contact"),
        ("q", "SELECT fields (standard) FROM Contact"),
    ] {
        let line = format!(
            "by_email = {{ get = \"/c\", query = {{ e = \"{{value}}\", f = \"{{select:comma}}\", \"{key}\" = \"{value}\" }} }}"
        );
        let (number, errors) = with_line("by_email", &line);
        assert!(
            errors.iter().any(|error| error.starts_with(&format!("line {number}: "))
                && error.contains("asks for more")
                || error.contains("ask for everything")),
            "{key}: {errors:?}"
        );
        let line = format!(
            "by_email = {{ post = \"/c\", json = {{ e = \"{{value}}\", f = \"{{select}}\", deep = [{{ \"{key}\" = \"{value}\" }}] }} }}"
        );
        assert!(!with_line("by_email", &line).1.is_empty(), "{key} in a body");
    }
    let narrow =
        "by_email = { get = \"/c\", query = { e = \"{value}\", f = \"{select:comma}\", depth = \"0\" } }";
    assert_eq!(with_line("by_email", narrow).1, Vec::<String>::new());
}

#[test]
fn kinds_of_auth_know_their_keys() {
    let auth = |table: &str| {
        let text = BUILT_IN[0].1;
        let begin = text.find("[auth]").unwrap();
        let end = text.find("[answer]").unwrap();
        errors(&format!("{}[auth]\n{table}\n{}", &text.get(..begin).unwrap(), &text.get(end..).unwrap()))
    };
    for right in [
        "kind = \"basic\"\nuser = \"bridge\"\npassword = \"{secret}\"",
        "kind = \"oauth2\"\ngrant = \"refresh-token\"\ntoken = \"/oauth2/access_token\"\nclient_id = \"x\"\nclient_secret = \"{secret}\"\nrefresh = \"{secret.refresh_token}\"\nrotates = true",
        "kind = \"oauth2\"\ngrant = \"client-credentials\"\ntoken = \"https://login.example.com/oauth2/token\"\nclient_id = \"x\"\nclient_secret = \"{secret}\"\nin = \"query:auth\"",
        "kind = \"hmac\"\nheader = \"X-Hmac-Authorization\"\nalgorithm = \"sha256\"\nmessage = \"{method} /{path}\"\nvalue = \"base64-of-key-colon-hex\"\nkey = \"k\"",
        "kind = \"login\"\ntoken = \"/result\"\nrequest = { post = \"/jsonrpc\", json = { key = \"{secret}\" } }\nheaders = { X-Session = \"{token}\" }",
        "kind = \"login\"\ncookie = \"sid\"\nrequest = { post = \"/login\", form = { key = \"{secret}\" } }",
    ] {
        assert_eq!(auth(right), Vec::<String>::new(), "{right}");
    }
    for (wrong, says) in [
        ("kind = \"headers\"\nheaders = { Authorization = \"Bearer x\" }", "stands nowhere"),
        ("kind = \"headers\"\nheaders = { Host = \"{secret}\" }", "can't be set"),
        ("kind = \"basic\"\nuser = \"x\"", "needs `password`"),
        ("kind = \"basic\"\nuser = \"x\"\npassword = \"{secret}\"\nrotates = true", "does not belong"),
        (
            "kind = \"oauth2\"\ngrant = \"refresh-token\"\ntoken = \"/t\"\nclient_id = \"x\"\nclient_secret = \"{secret}\"",
            "needs `refresh`",
        ),
        ("kind = \"in-path\"", "stands nowhere"),
        ("kind = \"magic\"", "unknown variant"),
    ] {
        let errors = auth(wrong);
        assert!(errors.iter().any(|error| error.contains(says)), "{wrong}: {errors:?}");
    }
}

#[test]
fn a_slip_in_plant_is_named_and_what_to_do() {
    for (right, wrong, says) in [
        ("field = \"person.city\"", "field = \"person.shoe_size\"", "is neither in [person.fields]"),
        ("{ kind = \"text\", hidden = \"notes\" }", "{ kind = \"text\" }", "a marker has `field`"),
        ("delete = \"/api/v1/deals/", "get = \"/api/v1/deals/", "not removed by `get`"),
        ("/api/v1/deals/{made.deal}", "/api/v1/deals/{made.note}", "`{made.deal}` must stand here"),
        ("\"{marker.price}\"", "\"{marker.prize}\"", "no such marker"),
        ("\"{marker.price}\"", "\"1\"", "no request uses this marker"),
        (
            "owner_id = \"{made.owner}\"",
            "owner_id = \"{made.deal}\"",
            "no record of that name is made before",
        ),
        ("email = \"{value}\"", "email = \"{marker.email}\"", "belongs to [plant]"),
        ("{ email = \"email\", phone = \"phone\" }", "{ email = \"phone\" }", "a marker of kind \"email\""),
        ("post = \"/api/v1/owners\"", "delete = \"/api/v1/owners\"", "made by `post` or `put`"),
        ("name   = \"note\"", "name   = \"deal\"", "two records have this name"),
        (
            "remove = { delete = \"/api/v1/deals/",
            "stays = \"no API\"\nremove = { delete = \"/api/v1/deals/",
            "a record that stays is emptied",
        ),
        (
            "name   = \"deal\"",
            "name   = \"deal\"\ndeleted = { at = \"/gone\", is = true }",
            "and there is no `read`",
        ),
        (
            "name   = \"deal\"",
            "name   = \"deal\"\nlink = [{ get = \"/api/v1/deals/{made.deal}\" }]",
            "is a `post`, `put` or `patch`",
        ),
        (
            "name   = \"deal\"",
            "name   = \"deal\"\nlink = [{ post = \"/api/v1/deals/{made.note}\" }]",
            "no record of that name is made before",
        ),
        ("[plant]", "[plant]\nkey = \"writing\"", "has no secret of this name"),
        ("[plant]", "[plant]\nheaders = { X-Key = \"k\" }", "`{secret}` stands nowhere"),
        ("[plant]", "[plant]\nheaders = { Host = \"{secret}\" }", "this header can't be set"),
        ("[plant]", "[plant]\nheaders = { X-Key = \"{secret}{marker.note}\" }", "here stand `{secret}`"),
        ("email = \"{value}\"", "email = \"{value:decimal}\"", "belong to an amount of [plant]"),
    ] {
        let text = BUILT_IN[0].1.replacen(right, wrong, 1);
        assert_ne!(text, BUILT_IN[0].1, "{right} does not stand in the profile");
        let errors = errors(&text);
        assert!(errors.iter().any(|error| error.contains(says)), "{says}: {errors:?}");
        assert!(errors.iter().all(|error| !error.starts_with("line 1:")), "{errors:?}");
    }
}

#[test]
fn a_child_names_one_person_or_several() {
    let (_, tryton) = BUILT_IN.iter().find(|(name, _)| *name == "tryton").unwrap();
    for wrong in ["", "parent = \"/party\"\nparents = \"/parties\""] {
        let errors = errors(&tryton.replace("parent     = \"/party\"", wrong));
        assert!(errors.iter().any(|error| error.contains("in `parents`")), "{errors:?}");
    }
}

#[test]
fn no_operation_of_the_server_plants() {
    for (_, text) in BUILT_IN {
        let profile = Profile::load(text).unwrap();
        assert!(profile.operation(Purpose::Plant).is_none());
        for (_, _, operation) in profile.operations() {
            assert!(matches!(operation.method.as_str(), "GET" | "POST"));
        }
    }
    assert!(BUILT_IN.iter().filter(|(_, text)| Profile::load(text).unwrap().plant.is_some()).count() >= 17);
}

#[test]
fn a_signature_whose_window_anybody_can_renew_is_refused() {
    for (right, wrong, says) in [
        ("[\"timestamp\", \"body\"]", "[\"body\"]", "anybody can renew a time stamp that is not signed"),
        ("[\"timestamp\", \"body\"]", "[\"timestamp\"]", "includes the body"),
        ("[\"timestamp\", \"body\"]", "[\"id\", \"timestamp\", \"body\"]", "`id_header`"),
        ("prefix    = \"sha256=\"", "field = \"v1\"\nseveral = true", "with `field` or with `several`"),
        ("kind      = \"hmac\"", "kind = \"token\"", "belong to kind = \"hmac\""),
    ] {
        let text = BUILT_IN[0].1.replacen(right, wrong, 1);
        assert_ne!(text, BUILT_IN[0].1, "{right} does not stand in the profile");
        let errors = errors(&text);
        assert!(errors.iter().any(|error| error.contains(says)), "{says}: {errors:?}");
    }
}

#[test]
fn a_renewal_names_no_record_and_a_slip_in_it_is_named_with_its_line() {
    let text = BUILT_IN.iter().find(|(name, _)| *name == "zoho").unwrap().1;
    assert_eq!(errors(text), Vec::<String>::new());
    for (right, wrong, says) in [
        (
            "put  = \"/crm/v8/actions/watch\"",
            "delete = \"/crm/v8/actions/watch\"",
            "`post`, `put` or `patch`",
        ),
        ("put  = \"/crm/v8/actions/watch\"", "put = \"/crm/v8/Contacts/{id}\"", "a renewal names no record"),
        ("events         = [\"Contacts.all\"]", "events = [\"{value}\"]", "a renewal names no record"),
        (
            "channel_expiry = \"{webhook.until}\"",
            "channel_expiry = \"at {webhook.until}\"",
            "a whole parameter or member",
        ),
        ("lasts_s = 86000", "lasts_s = 60", "at least ten minutes"),
        ("every_s = 21600", "every_s = 86400", "at least every `lasts_s`"),
        ("every_s = 21600", "each_s = 21600", "unknown field `each_s`"),
        ("email = \"{value}\"", "email = \"{webhook.key}\"", "belongs to [webhook.renew]"),
    ] {
        assert_eq!(text.matches(right).count(), 1, "{right} does not stand in the profile");
        let errors = errors(&text.replace(right, wrong));
        let line = text.lines().position(|line| line.contains(right)).unwrap() + 1;
        let near = |error: &String| {
            let number = error.trim_start_matches("line ").split(':').next().unwrap();
            number.parse::<usize>().is_ok_and(|number| number.abs_diff(line) <= 7)
        };
        assert!(
            errors.iter().any(|error| error.contains(says) && near(error)),
            "{says}, line {line}: {errors:?}"
        );
    }
    // What tells that somebody signs is not told.
    let signed = text.replace(
        "kind = \"token\"\nat   = \"/token\"",
        "kind = \"hmac\"\nheader = \"X\"\nalgorithm = \"sha256\"\nencoding = \"hex\"",
    );
    assert!(
        errors(&signed).iter().any(|error| error.contains("only where it is a token")),
        "{:?}",
        errors(&signed)
    );
}
