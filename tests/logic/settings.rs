//! A file and variables become settings, or every fault at once.

use std::{io, path::Path, path::PathBuf};

use perezvon::settings::{
    Language, Secret, Settings, Span, StoreUrl, catalogue,
    example::{default_of, example},
    load::{Faults, Loaded, Origin, Sources, load_from},
    shown, variables,
};
use toml::{Table, Value};

fn load(file: &str, variables: &[(&str, &str)]) -> Result<Loaded, Faults> {
    load_from(Sources {
        file: Some((PathBuf::from("perezvon.toml"), file.to_owned())),
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        read: &|path: &Path| match path.to_str() {
            Some("/run/secrets/token") => Ok("top-secret\n".to_owned()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        },
    })
}

fn faults(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    load(file, variables).expect_err("refused").all.iter().map(ToString::to_string).collect()
}

/// `#key = value` becomes `key = value`; `# words` and `#: examples` go.
fn uncommented(example: &str, examples_too: bool) -> String {
    example
        .lines()
        .filter_map(|line| match line.strip_prefix('#') {
            None => Some(line),
            Some(rest) => match rest.strip_prefix(": ") {
                Some(shown) => examples_too.then_some(shown),
                None => (!rest.is_empty() && !rest.starts_with(' ')).then_some(rest),
            },
        })
        .fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn nothing_set_is_the_default() {
    assert_eq!(load("", &[]).unwrap().settings, Settings::default());
}

#[test]
fn the_example_uncommented_is_the_default() {
    for language in [Language::Ru, Language::En] {
        let text = uncommented(&example(language), false);
        let loaded = load(&text, &[]).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        assert_eq!(loaded.settings, Settings::default());
    }
}

#[test]
fn the_example_in_contrib_is_what_the_command_prints() {
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib");
    for (name, language) in
        [("settings.example.toml", Language::En), ("settings.example.ru.toml", Language::Ru)]
    {
        let kept = std::fs::read_to_string(contrib.join(name)).unwrap_or_default();
        assert_eq!(kept, example(language), "run: perezvon settings example > contrib/{name}");
    }
}

#[test]
fn every_example_value_is_good_by_itself() {
    for key in catalogue::KEYS.iter().filter(|key| !key.example.is_empty()) {
        let (section, name) = key.path.rsplit_once('.').unwrap();
        let line = if name == "*" { key.example.to_owned() } else { format!("{name} = {}", key.example) };
        let text = format!("[{section}]\n{line}\n");
        if let Err(faults) = load(&text, &[]) {
            // Some are refused alone for another reason: an account needs a token, a status its pipeline.
            assert!(
                faults
                    .all
                    .iter()
                    .all(|fault| fault.text.contains("need") || fault.text.contains("is missing")),
                "{text}{faults}"
            );
        }
    }
}

#[test]
fn the_catalogue_has_every_key_and_each_is_explained() {
    let tree = Value::try_from(Settings::default()).unwrap();
    let mut missing = Vec::new();
    leaves(tree.as_table().unwrap(), &mut Vec::new(), &mut |path| {
        if catalogue::find(path).is_none() {
            missing.push(path.join("."));
        }
    });
    assert!(missing.is_empty(), "not in the catalogue: {missing:?}");
    for key in catalogue::KEYS {
        assert!(perezvon::text::knows(&format!("set.{}", key.path)), "no text for {}", key.path);
        let absent = key.path.ends_with('*')
            || ["ui.language", "pbx.database_url", "pbx.timezone", "hours.timezone", "hours.week"]
                .contains(&key.path)
            || ["base.pipeline", "base.status", "base.default_user"].contains(&key.path);
        assert!(absent || default_of(&tree, key.path).is_some(), "{} is no key of Settings", key.path);
    }
}

fn leaves(table: &Table, place: &mut Vec<String>, see: &mut impl FnMut(&[String])) {
    for (name, value) in table {
        place.push(name.clone());
        match value {
            Value::Table(inner) => leaves(inner, place, see),
            _ => see(place),
        }
        place.pop();
    }
}

#[test]
fn every_fault_is_said_at_once_with_its_line() {
    let text = "[agi]\ndeadlin = \"1s\"\nmax_sessions = \"many\"\n\n[numbers]\ncountry = \"XX\"\ninternal = \"(\"\n\n[nummbers]\na = 1\n";
    let said = faults(text, &[("PEREZVON__HTTP__LISTEN", "nowhere")]);
    let all = said.join("\n");
    for expected in [
        "perezvon.toml:2: agi.deadlin: there is no such key; did you mean agi.deadline?",
        "perezvon.toml:3: agi.max_sessions: expected a whole number",
        "perezvon.toml:6: numbers.country: XX is no country",
        "perezvon.toml:7: numbers.internal: is not a regular expression",
        "perezvon.toml:9: nummbers: there is no such key; did you mean numbers?",
        "PEREZVON__HTTP__LISTEN: http.listen: expected an address with a port",
    ] {
        assert!(all.contains(expected), "{expected}\n--- in\n{all}");
    }
    assert_eq!(said.len(), 6, "{all}");
}

#[test]
fn faults_speak_the_language_that_is_set() {
    let said = faults("[ui]\nlanguage = \"ru\"\n[agi]\nmax_sessions = 0\n", &[("LANG", "en_US.UTF-8")]);
    assert_eq!(said, ["perezvon.toml:4: agi.max_sessions: должно быть больше нуля"]);
    let said = faults("[agi]\nmax_sessions = 0\n", &[("LANG", "ru_RU.UTF-8")]);
    assert_eq!(said, ["perezvon.toml:2: agi.max_sessions: должно быть больше нуля"]);
    let unknown = "[agi]\ndeadlin = 1\n";
    for (file, variables) in [
        (format!("[ui]\nlanguage = \"ru\"\n{unknown}"), vec![]),
        (unknown.to_owned(), vec![("PEREZVON__UI__LANGUAGE", "ru")]),
    ] {
        let said = faults(&file, &variables);
        assert!(said[0].contains("такого ключа нет"), "{said:?}");
    }
}

#[test]
fn broken_toml_names_its_line() {
    let said = faults("[agi]\nenabled = true\nlisten = \n", &[]);
    assert!(said[0].starts_with("perezvon.toml:3: is not TOML"), "{said:?}");
}

#[test]
fn a_variable_goes_before_the_file() {
    let loaded = load(
        "[agi]\ndeadline = \"200ms\"\n",
        &[("PEREZVON__AGI__DEADLINE", "1s"), ("PEREZVON__AMOCRM__REQUESTS_PER_SECOND", "3")],
    )
    .unwrap();
    assert_eq!(loaded.settings.agi.deadline, Span::secs(1));
    assert_eq!(loaded.settings.amocrm.requests_per_second, 3.0);
    assert_eq!(loaded.origins["agi.deadline"], Origin::Variable("PEREZVON__AGI__DEADLINE".to_owned()));
}

#[test]
fn every_key_with_a_default_can_come_from_its_variable() {
    let tree = Value::try_from(Settings::default()).unwrap();
    for key in catalogue::KEYS.iter().filter(|key| !key.path.ends_with('*')) {
        let Some(value) = default_of(&tree, key.path) else { continue };
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let name = variables::name_of(key.path);
        let loaded = load("", &[(&name, &text)]).unwrap_or_else(|faults| panic!("{name}: {faults}"));
        assert_eq!(loaded.settings, Settings::default(), "{name}");
        assert!(loaded.origins.contains_key(key.path), "{name}");
    }
}

#[test]
fn maps_come_from_variables_by_entry_by_field_and_whole() {
    let loaded = load(
        "[employees]\n101 = 5\n",
        &[
            ("PEREZVON__EMPLOYEES__101__NAME", "Анна"),
            ("PEREZVON__EMPLOYEES__102", "7"),
            ("PEREZVON__EMPLOYEES__103", "{ user = 8, name = \"Пётр\" }"),
            ("PEREZVON__TRUNKS", "{ \"msk\" = { name = \"Москва\" } }"),
            ("PEREZVON__PBX__COLUMN_NAMES__CDR__LINKEDID", "linked"),
            ("PEREZVON__NUMBERS__MOBILES__79031112233", "101"),
            ("PEREZVON__HTTP__TRUSTED_PROXIES", "10.0.0.1, 10.0.0.2"),
            ("PEREZVON__BASE__CREATE_LEAD__OUTBOUND", "false"),
        ],
    )
    .unwrap()
    .settings;
    assert_eq!((loaded.employees["101"].user, loaded.employees["101"].name.as_str()), (5, "Анна"));
    assert_eq!(loaded.employees["102"].user, 7);
    assert_eq!(loaded.employees["103"].name, "Пётр");
    assert_eq!(loaded.trunks["msk"].name, "Москва");
    assert_eq!(loaded.pbx.column_names["cdr.linkedid"], "linked");
    assert_eq!(loaded.numbers.mobiles["79031112233"], "101");
    assert_eq!(loaded.http.trusted_proxies.len(), 2);
    assert!(!loaded.base.create_lead.outbound && loaded.base.create_lead.inbound);
}

#[test]
fn columns_need_no_quotes_in_the_file() {
    let text = "[pbx.column_names]\ncdr.linkedid = \"linked\"\n\"cel.extra\" = \"eventextra\"\n";
    let names = load(text, &[]).unwrap().settings.pbx.column_names;
    assert_eq!(names["cdr.linkedid"], "linked");
    assert_eq!(names["cel.extra"], "eventextra");
    let said = faults("[pbx.column_names]\ncdr.linkdid = \"x\"\n", &[]);
    assert!(said[0].contains("cdr.linkedid") && said[0].starts_with("perezvon.toml:2"), "{said:?}");
}

#[test]
fn a_secret_comes_from_a_file_and_never_shows() {
    let loaded = load(
        "[amocrm]\nbase_url = \"https://company.amocrm.ru\"\n[store]\nurl = \"mysql://p:hidden@db/perezvon\"\n",
        &[("PEREZVON__AMOCRM__TOKEN_FILE", "/run/secrets/token")],
    )
    .unwrap();
    assert_eq!(loaded.settings.amocrm.token, Secret::new("top-secret"));
    let shown = serde_json::to_string(&shown::lines(&loaded.settings, &loaded.origins)).unwrap();
    assert!(shown.contains("***") && shown.contains("PEREZVON__AMOCRM__TOKEN_FILE"));
    assert!(!shown.contains("top-secret") && !shown.contains("hidden"), "{shown}");
    assert!(!format!("{:?}", loaded.settings).contains("hidden"));
}

#[test]
fn a_secret_that_cannot_be_read_or_is_given_twice_is_a_fault() {
    let said = faults("", &[("PEREZVON__ADMIN__PASSWORD_FILE", "/nowhere")]);
    assert!(said[0].contains("PEREZVON__ADMIN__PASSWORD_FILE") && said[0].contains("/nowhere"), "{said:?}");
    let said = faults(
        "",
        &[("PEREZVON__ADMIN__PASSWORD", "x"), ("PEREZVON__ADMIN__PASSWORD_FILE", "/run/secrets/token")],
    );
    assert!(said[0].contains("keep one"), "{said:?}");
    // Not every key has a file form: it would make two ways of saying one thing.
    assert!(faults("", &[("PEREZVON__AGI__DEADLINE_FILE", "/x")])[0].contains("no such key"));
}

#[test]
fn contradictions_are_faults_and_doubts_are_warnings() {
    let oauth = "client_id = \"a\"\nclient_secret = \"b\"\nredirect_uri = \"https://x/\"\n";
    let account = "[amocrm]\nbase_url = \"https://company.amocrm.ru\"\n";
    assert!(faults(&format!("{account}token = \"t\"\n{oauth}"), &[])[0].contains("keep one"));
    assert!(faults(account, &[])[0].contains("amocrm.token"));
    assert!(faults("[amocrm]\ntoken = \"t\"\n", &[])[0].contains("amocrm.base_url"));
    assert!(
        faults("[amocrm]\nbase_url = \"http://company.amocrm.ru\"\ntoken = \"t\"\n", &[])[0]
            .contains("https://")
    );
    assert!(load("[amocrm]\nbase_url = \"http://127.0.0.1:8080\"\ntoken = \"t\"\n", &[]).is_ok());
    assert!(faults("[numbers.mobiles]\n\"12\" = \"101\"\n", &[])[0].contains("no phone number"));
    assert!(faults("[base]\nstatus = 3\n", &[])[0].contains("base.pipeline"));
    assert!(faults("[agi]\nlisten = \"0.0.0.0:8573\"\n", &[])[0].contains("http.listen"));
    assert!(faults("[numbers]\narea_code = \"Москва\"\n", &[])[0].contains("numbers.area_code"));
    let doubtful = load("[base]\ncontact_name = \"Client {phon}\"\n", &[]).unwrap();
    assert!(doubtful.warnings.iter().any(|warning| warning.to_string().contains("{phon}")));
    assert!(doubtful.warnings.iter().any(|warning| warning.to_string().contains("{{ phon }}")));
    let doubtful = load("[agi]\ndeadline = \"6s\"\n", &[]).unwrap();
    assert!(doubtful.warnings.iter().any(|warning| warning.key == "agi.deadline"), "{:?}", doubtful.warnings);
}

#[test]
fn a_template_with_a_slip_names_its_key_line_and_place() {
    let said =
        faults("[base]\nlead_name = \"{{ trunk.nmae or 'Сайт' }}\"\n\n[tasks]\ntext = \"{{ phone\"\n", &[]);
    assert_eq!(
        said[0],
        "perezvon.toml:2: base.lead_name: line 1, letter 4: there is no field trunk.nmae; did you mean trunk.name?"
    );
    assert!(said[1].starts_with("perezvon.toml:5: tasks.text: line 1, letter "), "{said:?}");
    let said = faults("[ui]\nlanguage = \"ru\"\n[base]\ncontact_name = \"{{ phone|dat }}\"\n", &[]);
    assert!(said[0].contains("строка 1, знак 10: фильтра dat нет; может быть, date?"), "{said:?}");
    assert!(
        load("[base]\nlead_name = \"{{ trunk.name or 'Сайт' }} {{ call.started_at|time }}\"\n", &[]).is_ok()
    );
}

#[test]
fn a_field_that_an_employee_does_not_have_is_a_fault() {
    let said = faults("[employees]\n101 = { user = 5, nam = \"x\" }\n", &[]);
    assert!(said[0].contains("employees.101.nam"), "{said:?}");
    assert!(faults("[employees]\n101 = \"anna\"\n", &[])[0].contains("CRM user id"));
}

#[test]
fn a_database_address_that_is_none_says_what_to_write() {
    let said = faults("[store]\nurl = \"postgres://x\"\n", &[]);
    assert!(said[0].contains("sqlite:") && said[0].contains("mysql://"), "{said:?}");
    let said = faults("[store]\nurl = \"mysql://u:p@ss@h/d\"\n", &[]);
    assert!(said[0].contains("%40") && !said[0].contains("p@ss"), "{said:?}");
    let loaded = load("[store]\nurl = \"mariadb://u:p@h/d\"\n", &[]).unwrap();
    assert_eq!(loaded.settings.store.url, StoreUrl::Mysql("mysql://u:p@h/d".to_owned()));
}
