//! What no single key shows: values that contradict each other, or cannot work together.

use std::{net::IpAddr, time::Duration};

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};

use super::{
    Language, Numbers, Settings, StoreUrl, catalogue,
    load::{Fault, Leaves, Origin},
};
use crate::{
    logic::{phone::Phones, template},
    text::say,
};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

/// Looks at the whole.
pub(super) fn check(settings: &Settings, leaves: &Leaves, language: Language) -> Checked {
    let mut look = Look { leaves, language, found: Checked::default() };
    listening(settings, &mut look);
    agi(settings, &mut look);
    pbx(settings, &mut look);
    numbers(settings, &mut look);
    recordings(settings, &mut look);
    amocrm(settings, &mut look);
    super::cross_check_hours::check(settings, &mut look);
    rules(settings, &mut look);
    look.found
}

pub(super) struct Look<'a> {
    leaves: &'a Leaves,
    language: Language,
    found: Checked,
}

impl Look<'_> {
    fn noted(&self, key: &str, text: &str, values: &[(&str, &str)]) -> Fault {
        let place = self
            .leaves
            .iter()
            .find(|(path, _)| path.join(".") == key)
            .map_or(Origin::Default, |(_, leaf)| leaf.origin.clone());
        Fault { key: key.to_owned(), place, text: say(self.language, text, values) }
    }

    pub(super) fn fault(&mut self, key: &str, text: &str, values: &[(&str, &str)]) {
        let fault = self.noted(key, text, values);
        self.found.faults.push(fault);
    }

    pub(super) fn warn(&mut self, key: &str, text: &str, values: &[(&str, &str)]) {
        let warning = self.noted(key, text, values);
        self.found.warnings.push(warning);
    }
}

fn listening(settings: &Settings, look: &mut Look<'_>) {
    let Settings { http, admin, agi, .. } = settings;
    if agi.enabled && agi.listen == http.listen && http.listen.port() != 0 {
        look.fault("agi.listen", "fault.same_port", &[("other", "http.listen")]);
    }
    if !http.public_url.is_empty() {
        match http.public_url.split_once("://") {
            Some(("https" | "http", rest)) if !rest.is_empty() => {}
            _ => look.fault("http.public_url", "fault.not_a_url", &[("example", "https://pbx.example.ru")]),
        }
    } else if !settings.amocrm.base_url.is_empty() && !local(&settings.amocrm.base_url) {
        look.warn("http.public_url", "warn.no_public_url", &[("listen", &http.listen.to_string())]);
    }
    if admin.password.is_empty() && !http.listen.ip().is_loopback() {
        look.warn("admin.password", "warn.no_password", &[]);
    } else if !admin.password.is_empty() && admin.password.expose().chars().count() < 8 {
        look.warn("admin.password", "warn.short_password", &[]);
    }
}

fn agi(settings: &Settings, look: &mut Look<'_>) {
    let deadline = settings.agi.deadline.0;
    if deadline.is_zero() {
        look.fault("agi.deadline", "fault.zero", &[]);
    } else if deadline >= Duration::from_secs(2) {
        look.warn("agi.deadline", "warn.long_deadline", &[("deadline", &settings.agi.deadline.to_string())]);
    }
    if settings.agi.max_sessions == 0 {
        look.fault("agi.max_sessions", "fault.zero", &[]);
    }
}

fn pbx(settings: &Settings, look: &mut Look<'_>) {
    let pbx = &settings.pbx;
    for (key, span) in
        [("pbx.poll_interval", pbx.poll_interval), ("pbx.max_call", pbx.max_call), ("pbx.quiet", pbx.quiet)]
    {
        if span.0.is_zero() {
            look.fault(key, "fault.zero", &[]);
        }
    }
    for (key, table) in [("pbx.cdr_table", &pbx.cdr_table), ("pbx.cel_table", &pbx.cel_table)] {
        let fits = |letter: char| letter.is_alphanumeric() || "_$.".contains(letter);
        if (table.is_empty() && key == "pbx.cdr_table") || !table.chars().all(fits) {
            look.fault(key, "fault.table_name", &[("table", table)]);
        }
    }
    for column in pbx.column_names.keys() {
        if !catalogue::COLUMNS.contains(&column.as_str()) {
            let near =
                catalogue::most_like(column, catalogue::COLUMNS.iter().copied()).unwrap_or("cdr.linkedid");
            look.fault(&format!("pbx.column_names.{column}"), "fault.unknown_near", &[("near", near)]);
        }
    }
    if let (StoreUrl::Sqlite(ours), Some(StoreUrl::Sqlite(theirs))) = (&settings.store.url, &pbx.database_url)
        && ours == theirs
    {
        look.fault("store.url", "fault.store_is_pbx", &[]);
    }
    if let (StoreUrl::Mysql(ours), Some(StoreUrl::Mysql(theirs))) = (&settings.store.url, &pbx.database_url)
        && ours == theirs
    {
        look.warn("store.url", "fault.store_is_pbx", &[]);
    }
    let ami = &settings.ami;
    if !ami.address.is_empty() && (ami.username.is_empty() || ami.secret.is_empty()) {
        look.fault("ami.address", "fault.ami_half", &[]);
    }
    let port = ami.address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    if !ami.address.is_empty() && port.is_none_or(|(host, _)| host.is_empty()) {
        look.fault("ami.address", "fault.ami_address", &[("address", &ami.address)]);
    }
}

fn numbers(settings: &Settings, look: &mut Look<'_>) {
    let numbers = &settings.numbers;
    let mut good = Numbers { country: numbers.country.clone(), ..Numbers::default() };
    let country = numbers.country.trim().to_ascii_uppercase();
    let region: Option<Region> = country.parse().ok();
    if !region.is_some_and(|region| PHONE_NUMBER_UTIL.get_supported_regions().any(|known| known == region)) {
        look.fault("numbers.country", "fault.country", &[("country", &numbers.country)]);
        good.country = Numbers::default().country;
    }
    if !numbers.area_code.chars().all(|sign| sign.is_ascii_digit()) || numbers.area_code.len() > 5 {
        look.fault("numbers.area_code", "fault.area_code", &[("code", &numbers.area_code)]);
    }
    match regex::Regex::new(&format!("^(?:{})$", numbers.internal)) {
        Ok(_) => good.internal.clone_from(&numbers.internal),
        Err(error) => look.fault("numbers.internal", "fault.pattern", &[("error", &plain(&error))]),
    }
    for (index, replacement) in numbers.replacements.iter().enumerate() {
        if let Err(error) = regex::Regex::new(&replacement.pattern) {
            let values = [("n", (index + 1).to_string()), ("error", plain(&error))];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            look.fault("numbers.replacements", "fault.replacement", &values);
        }
    }
    let Ok(phones) = Phones::new(&good) else { return };
    for (mobile, extension) in &numbers.mobiles {
        let key = format!("numbers.mobiles.{mobile}");
        if phones.canonical(mobile).is_none() {
            look.fault(&key, "fault.not_a_phone", &[("phone", mobile)]);
        }
        if !phones.is_internal(extension) {
            look.warn(&key, "warn.not_internal", &[("extension", extension)]);
        }
    }
    for extension in settings.employees.keys().filter(|extension| !phones.is_internal(extension)) {
        look.warn(&format!("employees.{extension}"), "warn.not_internal", &[("extension", extension)]);
    }
}

/// A regex error's last line: the rest draws the pattern over several lines.
fn plain(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().next_back().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

fn recordings(settings: &Settings, look: &mut Look<'_>) {
    let recordings = &settings.recordings;
    if recordings.source == recordings.mp3_folder {
        look.fault("recordings.mp3_folder", "fault.same_folder", &[]);
    }
    for (key, secret) in [
        ("recordings.link_secret", &recordings.link_secret),
        ("amocrm.webhook_secret", &settings.amocrm.webhook_secret),
    ] {
        if !secret.is_empty() && secret.expose().len() < 16 {
            look.warn(key, "warn.short_secret", &[]);
        }
    }
}

fn amocrm(settings: &Settings, look: &mut Look<'_>) {
    let amocrm = &settings.amocrm;
    let oauth = [
        ("amocrm.client_id", amocrm.client_id.is_empty()),
        ("amocrm.client_secret", amocrm.client_secret.is_empty()),
        ("amocrm.redirect_uri", amocrm.redirect_uri.is_empty()),
    ];
    let some_oauth = oauth.iter().any(|(_, empty)| !empty);
    if !amocrm.token.is_empty() && some_oauth {
        look.fault("amocrm.token", "fault.token_and_oauth", &[]);
    } else if some_oauth {
        for (key, _) in oauth.iter().filter(|(_, empty)| *empty) {
            look.fault(key, "fault.oauth_half", &[]);
        }
    }
    let signed = !amocrm.token.is_empty() || some_oauth;
    if amocrm.base_url.is_empty() {
        if signed {
            look.fault("amocrm.base_url", "fault.no_base_url", &[]);
        }
    } else {
        if !signed {
            look.fault("amocrm.token", "fault.no_token", &[]);
        }
        let secure = amocrm.base_url.strip_prefix("https://").is_some_and(|host| !host.is_empty());
        let sandbox = amocrm.base_url.starts_with("http://") && local(&amocrm.base_url);
        if !secure && !sandbox {
            look.fault("amocrm.base_url", "fault.not_https", &[]);
        }
    }
    if !(amocrm.requests_per_second > 0.0 && amocrm.requests_per_second.is_finite()) {
        look.fault("amocrm.requests_per_second", "fault.zero", &[]);
    } else if amocrm.requests_per_second > 7.0 && !local(&amocrm.base_url) {
        look.warn("amocrm.requests_per_second", "warn.pace", &[]);
    }
    for (key, span) in [("amocrm.timeout", amocrm.timeout), ("amocrm.sync_interval", amocrm.sync_interval)] {
        if span.0.is_zero() {
            look.fault(key, "fault.zero", &[]);
        }
    }
}

/// Whether a URL's host is this machine: there, a sandbox may speak plain HTTP.
fn local(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', '?']).next().unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Looks for what no call can fill in.
fn is_template(key: &str, source: &str, look: &mut Look<'_>) {
    for fault in template::check(source) {
        let text = fault.say(look.language);
        look.fault(key, "fault.template", &[("text", &text)]);
    }
    if !source.contains("{{")
        && !source.contains("{%")
        && let Some(found) = placeholders(source).find(|found| *found != "{phone}")
    {
        let example = format!("{{{{ {} }}}}", found.trim_matches(['{', '}']));
        look.warn(key, "warn.placeholder", &[("found", found), ("example", &example)]);
    }
}

/// What stands in braces.
fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    template
        .match_indices('{')
        .filter_map(|(from, _)| template[from..].find('}').map(|length| &template[from..=from + length]))
}

fn rules(settings: &Settings, look: &mut Look<'_>) {
    let (base, tasks) = (&settings.base, &settings.tasks);
    if base.status.is_some() && base.pipeline.is_none() {
        look.fault("base.status", "fault.status_alone", &[]);
    }
    for (key, template) in [
        ("base.contact_name", &base.contact_name),
        ("base.lead_name", &base.lead_name),
        ("tasks.text", &tasks.text),
    ] {
        if template.trim().is_empty() {
            look.fault(key, "fault.empty", &[]);
        }
        is_template(key, template, look);
    }
    for (extension, employee) in &settings.employees {
        if employee.user == 0 {
            look.fault(&format!("employees.{extension}"), "fault.user_zero", &[]);
        }
    }
    if !settings.amocrm.base_url.is_empty() && settings.employees.is_empty() && base.default_user.is_none() {
        look.warn("employees", "warn.no_employees", &[]);
    }
}
