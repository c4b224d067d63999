//! Who may open the pages: with `[admin] password` whoever signs in, without it this machine only.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use subtle::ConstantTimeEq;

use super::{App, session::Session};

/// What a proxy leaves on a request: such a request did not begin on this machine, whoever hands it on.
const PROXY_HEADERS: [&str; 5] = ["x-forwarded-for", "forwarded", "x-real-ip", "via", "cf-connecting-ip"];

const TRIES: u32 = 10;
const TRIES_WITHIN: Duration = Duration::from_secs(300);

/// Where a request began; none when that cannot be known, which is treated as "somewhere else".
pub(super) fn client(parts: &Parts, trusted: &[IpAddr]) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip().to_canonical();
    if !trusted.contains(&peer) {
        let proxied = PROXY_HEADERS.iter().any(|name| parts.headers.contains_key(*name));
        return (!proxied || !peer.is_loopback()).then_some(peer);
    }
    let hops: Vec<&str> = parts
        .headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in hops.iter().rev() {
        let ip = hop.trim().parse::<IpAddr>().ok()?.to_canonical();
        if !trusted.contains(&ip) {
            return Some(ip);
        }
    }
    None
}

/// Whether the browser asked for this machine by a name of this machine: a page on the internet can make a
/// browser here ask for any other name that leads to 127.0.0.1.
pub(super) fn asks_for_this_machine(headers: &HeaderMap, uri: &Uri) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| uri.host());
    let Some(host) = host else { return false };
    let name = match host.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What a request proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// May see everything; the text ties forms to this visitor.
    Admin(String),
    /// Has to sign in.
    SignIn,
    /// There is no password and this is not the machine itself.
    Elsewhere,
    /// Too many wrong passwords from there.
    TooMany,
}

/// What a request proves by its address, its cookie or its password.
pub(super) async fn proof(app: &App, parts: &Parts) -> Proof {
    let from = client(parts, &app.settings.http.trusted_proxies);
    let password = &app.settings.admin.password;
    if password.is_empty() {
        let here =
            from.is_some_and(|ip| ip.is_loopback()) && asks_for_this_machine(&parts.headers, &parts.uri);
        return if here { Proof::Admin("here".to_owned()) } else { Proof::Elsewhere };
    }
    if let Some(session) = Session::of(&parts.headers)
        && app.doors.opens(app, &session).await
    {
        return Proof::Admin(session.id());
    }
    match basic(&parts.headers) {
        None => Proof::SignIn,
        Some(_) if !app.doors.may_try(from) => Proof::TooMany,
        Some((name, word)) => {
            if is_admin(app, &name, &word) {
                Proof::Admin("basic".to_owned())
            } else {
                app.doors.failed(from);
                Proof::SignIn
            }
        }
    }
}

/// Whether name and password are the admin's; takes the same time however wrong they are.
pub(super) fn is_admin(app: &App, name: &str, word: &str) -> bool {
    let admin = &app.settings.admin;
    let name_fits = name.as_bytes().ct_eq(admin.username.as_bytes());
    let word_fits = word.as_bytes().ct_eq(admin.password.expose().as_bytes());
    !admin.password.is_empty() && bool::from(name_fits & word_fits)
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, coded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = String::from_utf8(BASE64_STANDARD.decode(coded.trim()).ok()?).ok()?;
    plain.split_once(':').map(|(name, word)| (name.to_owned(), word.to_owned()))
}

/// Put on a request that came through [`guard`].
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// Ties forms to this visitor.
    pub(super) id: String,
}

/// Middleware: lets admins through, sends others to the sign-in page, or says no.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let for_people = !parts.uri.path().starts_with("/api/") && parts.uri.path() != "/metrics";
    match proof(&app, &parts).await {
        Proof::Admin(id) => {
            parts.extensions.insert(Visitor { id });
            next.run(Request::from_parts(parts, body)).await
        }
        Proof::SignIn if for_people && parts.method == Method::GET && basic(&parts.headers).is_none() => {
            let next = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            Redirect::to(&format!("/sign-in?next={}", super::url_encoded(next))).into_response()
        }
        Proof::SignIn => {
            let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"Perezvon\", charset=\"UTF-8\"")];
            (StatusCode::UNAUTHORIZED, challenge, "sign in\n").into_response()
        }
        Proof::Elsewhere if for_people => super::sign_in::elsewhere(&app, &parts.headers),
        Proof::Elsewhere => {
            let text = "set [admin] password, or ask from the machine itself by http://127.0.0.1\n";
            (StatusCode::FORBIDDEN, text).into_response()
        }
        Proof::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords\n").into_response(),
    }
}

/// Whether a form was sent by our own page: the browser says so, and the token is this visitor's.
pub(super) async fn is_our_form(app: &App, headers: &HeaderMap, visitor: &Visitor, token: &str) -> bool {
    let said = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = headers.get("sec-fetch-site")
        && site != "same-origin"
    {
        return false;
    }
    if let Some(origin) = said(header::ORIGIN) {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        let ours = said(header::HOST).is_some_and(|ours| ours.eq_ignore_ascii_case(host));
        let public = app.settings.http.public_url.trim_end_matches('/').eq_ignore_ascii_case(origin);
        if !ours && !public {
            return false;
        }
    }
    let expected = app.doors.form_token(app, &visitor.id).await;
    bool::from(expected.as_bytes().ct_eq(token.as_bytes()))
}

/// How many wrong passwords came, and when the first did.
type Count = (u32, Instant);

/// Counts wrong passwords by where they come from.
#[derive(Debug, Clone, Default)]
pub(super) struct Tries(Arc<Mutex<HashMap<Option<IpAddr>, Count>>>);

impl Tries {
    /// Whether one more may be tried.
    pub(super) fn allows(&self, from: Option<IpAddr>) -> bool {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.retain(|_, (_, first)| first.elapsed() < TRIES_WITHIN);
        tries.get(&from).is_none_or(|(count, _)| *count < TRIES)
    }

    /// One was wrong.
    pub(super) fn count(&self, from: Option<IpAddr>) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = tries.entry(from).or_insert_with(|| (0, Instant::now()));
        entry.0 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(peer: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, _) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 5)));
        parts
    }

    fn from(peer: &str, headers: &[(&str, &str)]) -> Option<String> {
        let trusted = ["127.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        client(&request(peer, headers), &trusted).map(|ip| ip.to_string())
    }

    #[test]
    fn a_trusted_proxy_names_the_client_and_nobody_else_does() {
        let forwarded = |value: &'static str| [("x-forwarded-for", value)];
        assert_eq!(from("127.0.0.1", &forwarded("203.0.113.9")).as_deref(), Some("203.0.113.9"));
        assert_eq!(
            from("127.0.0.1", &forwarded("127.0.0.1, 203.0.113.9, 10.0.0.2")).as_deref(),
            Some("203.0.113.9")
        );
        assert_eq!(from("198.51.100.1", &forwarded("127.0.0.1")).as_deref(), Some("198.51.100.1"));
        // A proxy that says nothing hides who asks.
        assert_eq!(from("127.0.0.1", &[]), None);
        assert_eq!(from("127.0.0.1", &forwarded("127.0.0.1")), None);
        assert_eq!(from("127.0.0.1", &forwarded("rubbish")), None);
    }

    #[test]
    fn a_proxied_request_is_not_from_this_machine() {
        let forwarded = [("x-forwarded-for", "127.0.0.1")];
        assert_eq!(client(&request("127.0.0.1", &forwarded), &[]), None);
        assert!(client(&request("::ffff:127.0.0.1", &[]), &[]).unwrap().is_loopback());
    }

    #[test]
    fn only_names_of_this_machine_are_this_machine() {
        let asks = |host: &str| {
            let parts = request("127.0.0.1", &[("host", host)]);
            asks_for_this_machine(&parts.headers, &parts.uri)
        };
        assert!(asks("localhost:8573") && asks("127.0.0.1:8573") && asks("[::1]:8573"));
        assert!(!asks("evil.example:8573") && !asks("127.0.0.1.evil.example"));
    }

    #[test]
    fn wrong_passwords_run_out() {
        let (tries, from) = (Tries::default(), Some(IpAddr::from([203, 0, 113, 9])));
        for _ in 0..TRIES {
            assert!(tries.allows(from));
            tries.count(from);
        }
        assert!(!tries.allows(from));
        assert!(tries.allows(Some(IpAddr::from([203, 0, 113, 10]))));
    }
}
