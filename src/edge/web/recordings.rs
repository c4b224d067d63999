//! `GET /recordings/{call}/{signature}.mp3`: a signed link opens one MP3, with ranges so that a player can seek.
//!
//! The browser of an employee asks, from a page of the CRM: no cookie, any origin. The call in the address only
//! ever becomes a name inside our own folder, and only after its signature was found right.

mod range;

use std::{path::Path, sync::Arc, time::UNIX_EPOCH};

use axum::{
    Router,
    body::Body,
    extract::{self, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::{DateTime, Utc};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, SeekFrom},
};
use tokio_util::io::ReaderStream;

use self::range::Wanted;
use crate::{
    edge::{
        clock,
        recordings::{BadLink, Library},
    },
    settings::Language,
    text::say,
};

/// One read from the disk.
const PIECE: usize = 64 * 1024;

/// The route of recordings, ready to be merged.
pub fn router(library: Arc<Library>, language: Language) -> Router {
    let route = get(play).options(preflight);
    Router::new().route("/recordings/{call}/{signature}", route).with_state((library, language))
}

async fn play(
    State((library, language)): State<(Arc<Library>, Language)>,
    extract::Path((call, signature)): extract::Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let signature = signature.strip_suffix(".mp3").unwrap_or_default();
    let plain = |status, key| plain(status, &say(language, key, &[]));
    match library.verify(&call, signature, clock::now()) {
        Err(BadLink::Changed) => return plain(StatusCode::FORBIDDEN, "recording.changed"),
        Err(BadLink::Expired) => return plain(StatusCode::FORBIDDEN, "recording.expired"),
        Ok(()) => {}
    }
    let gone = || plain(StatusCode::NOT_FOUND, "recording.gone");
    let Some(file) = library.finished(&call) else { return gone() };
    match send(&file, &headers).await {
        Ok(response) => response,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => gone(),
        Err(error) => {
            tracing::warn!(call, %error, "cannot read an MP3");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "recording.unreadable")
        }
    }
}

/// A script on a CRM page may ask first whether it may ask for a range.
async fn preflight() -> impl IntoResponse {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Range, If-Range"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers)
}

/// The answer for a file that is there: whole, a part, or that it has not changed.
async fn send(path: &Path, headers: &HeaderMap) -> std::io::Result<Response> {
    let mut file = File::open(path).await?;
    let metadata = file.metadata().await?;
    let (length, modified) = (metadata.len(), metadata.modified()?);
    let age = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let tag = format!("\"{length:x}-{:x}\"", age.as_nanos());
    let date = DateTime::<Utc>::from(modified).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let common = [
        (header::CONTENT_TYPE, "audio/mpeg"),
        (header::ACCEPT_RANGES, "bytes"),
        (header::ETAG, &tag),
        (header::LAST_MODIFIED, &date),
        (header::CACHE_CONTROL, "private, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Accept-Ranges, Content-Length, Content-Range"),
    ];
    let mut response = if is_unchanged(headers, &tag, &date) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let same = header_text(headers, header::IF_RANGE).is_none_or(|known| known == tag || known == date);
        let wanted = header_text(headers, header::RANGE).filter(|_| same);
        match wanted.map_or(Wanted::Whole, |text| range::wanted(text, length)) {
            Wanted::Whole => body(StatusCode::OK, file, length),
            Wanted::Part { first, last } => {
                file.seek(SeekFrom::Start(first)).await?;
                let mut response = body(StatusCode::PARTIAL_CONTENT, file, last - first + 1);
                insert(&mut response, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{length}"));
                response
            }
            Wanted::Beyond => {
                let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
                insert(&mut response, header::CONTENT_RANGE, &format!("bytes */{length}"));
                response
            }
        }
    };
    for (name, value) in common {
        insert(&mut response, name, value);
    }
    Ok(response)
}

/// `length` bytes from where the file stands, read as the client takes them.
fn body(status: StatusCode, file: File, length: u64) -> Response {
    let stream = ReaderStream::with_capacity(file.take(length), PIECE);
    let mut response = (status, Body::from_stream(stream)).into_response();
    insert(&mut response, header::CONTENT_LENGTH, &length.to_string());
    response
}

fn is_unchanged(headers: &HeaderMap, tag: &str, date: &str) -> bool {
    match header_text(headers, header::IF_NONE_MATCH) {
        Some(known) => {
            known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*")
        }
        None => header_text(headers, header::IF_MODIFIED_SINCE).is_some_and(|known| known == date),
    }
}

fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn plain(status: StatusCode, text: &str) -> Response {
    let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    (status, [kind, (header::CACHE_CONTROL, "no-store")], format!("{text}\n")).into_response()
}
