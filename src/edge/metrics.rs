//! Names of all metrics, with their units, and the recorder behind `/metrics`.
//!
//! Whoever measures writes `metrics::counter!(metrics::CALLS_PUT, …)` with a name of this list, so that no name
//! is spelled in two ways and each is described.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// FastAGI sessions; label `status` is `CRM_STATUS`, or `closed` for a connection that asked nothing.
pub const AGI_SESSIONS: &str = "perezvon_agi_sessions_total";
/// Time of a FastAGI session, from accept to the answer.
pub const AGI_SECONDS: &str = "perezvon_agi_session_seconds";
/// FastAGI sessions that got an empty answer because `[agi] max_sessions` were open.
pub const AGI_REFUSED: &str = "perezvon_agi_refused_total";
/// Commands that Asterisk did not carry out (510, 511, 520).
pub const AGI_REFUSED_COMMANDS: &str = "perezvon_agi_refused_commands_total";
/// Sessions of AMI that ended; label `end` is `unreachable`, `refused`, `silent`, `closed` or `malformed`.
pub const AMI_SESSIONS: &str = "perezvon_ami_sessions_total";
/// Events and answers of AMI.
pub const AMI_PACKETS: &str = "perezvon_ami_packets_total";
/// Polls of Asterisk's tables.
pub const POLLS: &str = "perezvon_pbx_polls_total";
/// Time of one poll.
pub const POLL_SECONDS: &str = "perezvon_pbx_poll_seconds";
/// Why a poll began; label `sign` is `time`, `hangup` (AMI) or `rows` (a key has moved).
pub const POLL_SIGNS: &str = "perezvon_pbx_poll_signs_total";
/// Rows read; label `table` is `cdr` or `cel`.
pub const ROWS: &str = "perezvon_pbx_rows_total";
/// Calls that were told whole; label `outcome`.
pub const CALLS: &str = "perezvon_calls_total";
/// Calls in the store; label `state`.
pub const CALLS_KEPT: &str = "perezvon_calls_kept";
/// Time from a call's end to its registration.
pub const REGISTER_SECONDS: &str = "perezvon_register_seconds";
/// Actions carried out; labels `kind` and `state`.
pub const ACTIONS: &str = "perezvon_actions_total";
/// Requests to amoCRM; labels `method`, `endpoint` and `status` (`lost` when no answer came).
pub const CRM_REQUESTS: &str = "perezvon_amocrm_requests_total";
/// Time of one request to amoCRM, without waiting for the pace; label `endpoint`.
pub const CRM_SECONDS: &str = "perezvon_amocrm_request_seconds";
/// Time a request waited for the pace; label `urgency`.
pub const CRM_WAIT_SECONDS: &str = "perezvon_amocrm_wait_seconds";
/// Answers 429, after each of which nothing is sent for a while.
pub const CRM_PAUSES: &str = "perezvon_amocrm_pauses_total";
/// Block pages, after each of which nothing is sent for long.
pub const CRM_BLOCKS: &str = "perezvon_amocrm_blocks_total";
/// Webhooks of amoCRM.
pub const CRM_WEBHOOKS: &str = "perezvon_amocrm_webhooks_total";
/// Time of a live look-up while a caller waits.
pub const LOOKUP_SECONDS: &str = "perezvon_directory_live_lookup_seconds";
/// Unix time of the last good sync of the directory.
pub const DIRECTORY_SYNCED: &str = "perezvon_directory_synced_timestamp_seconds";
/// Directory entries; label `kind` is `contact`, `company`, `phone` or `lead`.
pub const DIRECTORY: &str = "perezvon_directory_entries";
/// MP3 made; label `result` is `ok` or `refused`.
pub const MP3: &str = "perezvon_mp3_total";
/// CPU-bound time of one conversion.
pub const MP3_SECONDS: &str = "perezvon_mp3_seconds";
/// Health of a part: 1 works or is switched off, 0.5 somebody should look, 0 does not work; label `part`.
pub const PART: &str = "perezvon_part_up";

const BUCKETS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0];

/// Installs the recorder for this process; a second call fails, as there is one recorder a process.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
        .install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!(AGI_SESSIONS, "FastAGI sessions, by CRM_STATUS");
    describe_histogram!(AGI_SECONDS, Unit::Seconds, "FastAGI session, from accept to the answer");
    describe_counter!(AGI_REFUSED, "FastAGI sessions answered empty because too many were open");
    describe_counter!(AGI_REFUSED_COMMANDS, "Commands that Asterisk did not carry out");
    describe_counter!(AMI_SESSIONS, "Sessions of AMI that ended, by how");
    describe_counter!(AMI_PACKETS, "Events and answers of AMI");
    describe_counter!(POLLS, "Polls of Asterisk's tables");
    describe_histogram!(POLL_SECONDS, Unit::Seconds, "One poll of Asterisk's tables");
    describe_counter!(POLL_SIGNS, "Why polls of Asterisk's tables began");
    describe_counter!(ROWS, "Rows read from Asterisk's tables, by table");
    describe_counter!(CALLS, "Calls told whole, by outcome");
    describe_gauge!(CALLS_KEPT, "Calls in the store, by state");
    describe_histogram!(REGISTER_SECONDS, Unit::Seconds, "From a call's end to its registration");
    describe_counter!(ACTIONS, "Actions carried out, by kind and state");
    describe_counter!(CRM_REQUESTS, "Requests to amoCRM, by method, endpoint and HTTP status");
    describe_histogram!(CRM_SECONDS, Unit::Seconds, "One request to amoCRM, without waiting for the pace");
    describe_histogram!(CRM_WAIT_SECONDS, Unit::Seconds, "Wait for the pace before a request to amoCRM");
    describe_counter!(CRM_PAUSES, "Answers 429 of amoCRM");
    describe_counter!(CRM_BLOCKS, "Block pages of amoCRM");
    describe_counter!(CRM_WEBHOOKS, "Webhooks of amoCRM");
    describe_histogram!(LOOKUP_SECONDS, Unit::Seconds, "Live look-up while a caller waits");
    describe_gauge!(DIRECTORY_SYNCED, Unit::Seconds, "Unix time of the last good sync of the directory");
    describe_gauge!(DIRECTORY, "Directory entries, by kind");
    describe_counter!(MP3, "MP3 made, by result");
    describe_histogram!(MP3_SECONDS, Unit::Seconds, "One conversion to MP3");
    describe_gauge!(PART, "Health of a part: 1 works or is off, 0.5 look at it, 0 does not work");
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    #[test]
    fn every_metric_that_is_written_is_described() {
        let described = include_str!("metrics.rs");
        let mut unknown = Vec::new();
        look_into(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |text| {
            for part in text.split("\"perezvon_").skip(1) {
                let name = part.split('"').next().unwrap_or_default();
                if !described.contains(&format!("\"perezvon_{name}\"")) {
                    unknown.push(name.to_owned());
                }
            }
        });
        assert!(unknown.is_empty(), "not in metrics.rs: {unknown:?}");
    }

    fn look_into(folder: &Path, see: &mut impl FnMut(&str)) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look_into(&path, see);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("metrics.rs") {
                see(&fs::read_to_string(&path).unwrap());
            }
        }
    }
}
