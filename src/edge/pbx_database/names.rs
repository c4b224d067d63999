//! Our names of columns, and how other PBXs call them.

/// How much a column is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing works without it.
    Required,
    /// Calls come out poorer without it.
    Useful,
    /// Nobody will miss it.
    Optional,
}

/// One column: our name, names seen elsewhere, need.
pub(super) struct Column {
    pub(super) ours: &'static str,
    pub(super) others: &'static [&'static str],
    pub(super) need: Need,
}

const fn column(ours: &'static str, others: &'static [&'static str], need: Need) -> Column {
    Column { ours, others, need }
}

/// Our name of the monotone key in both tables.
pub(super) const KEY: &str = "id";

/// Columns of `cdr`. Others: Asterisk's `contrib/realtime/mysql/mysql_cdr.sql` (`start`), samples of cdr_sqlite3_custom.
pub(super) const CDR: &[Column] = &[
    column("calldate", &["start", "start_time", "starttime"], Need::Required),
    column("clid", &["callerid"], Need::Optional),
    column("src", &["source"], Need::Useful),
    column("dst", &["destination"], Need::Useful),
    column("dcontext", &["context"], Need::Optional),
    column("channel", &["srcchannel"], Need::Required),
    column("dstchannel", &["destchannel", "dst_channel"], Need::Required),
    column("lastapp", &["last_app"], Need::Useful),
    column("lastdata", &["last_data"], Need::Optional),
    column("duration", &[], Need::Required),
    column("billsec", &["bill_sec"], Need::Useful),
    column("disposition", &[], Need::Required),
    column("accountcode", &["account_code"], Need::Optional),
    column("uniqueid", &["unique_id"], Need::Required),
    column("userfield", &["user_field"], Need::Optional),
    column("did", &[], Need::Useful),
    column("recordingfile", &["recording_file", "recording"], Need::Useful),
    column("cnum", &[], Need::Optional),
    column("cnam", &[], Need::Optional),
    column("outbound_cnum", &[], Need::Optional),
    column("linkedid", &["linked_id"], Need::Useful),
    column("peeraccount", &["peer_account"], Need::Optional),
    column("sequence", &["sequence_no"], Need::Optional),
];

/// Columns of `cel`. Others: `cel.conf` names, the sample of cel_sqlite3_custom (`cidnum`).
pub(super) const CEL: &[Column] = &[
    column("eventtype", &["event_type", "type"], Need::Required),
    column("eventtime", &["event_time", "time"], Need::Required),
    column("cid_name", &["cidname"], Need::Optional),
    column("cid_num", &["cidnum"], Need::Useful),
    column("cid_ani", &["cidani"], Need::Optional),
    column("cid_rdnis", &["cidrdnis"], Need::Optional),
    column("cid_dnid", &["ciddnid"], Need::Useful),
    column("exten", &["extension"], Need::Useful),
    column("context", &[], Need::Useful),
    column("channame", &["channel", "chan_name"], Need::Required),
    column("appname", &["app_name"], Need::Useful),
    column("appdata", &["app_data"], Need::Useful),
    column("accountcode", &["account_code"], Need::Optional),
    column("uniqueid", &["unique_id"], Need::Required),
    column("linkedid", &["linked_id"], Need::Required),
    column("peer", &[], Need::Useful),
    column("userdeftype", &["user_def_type"], Need::Optional),
    column("extra", &["eventextra", "event_extra"], Need::Useful),
];

/// Whether a table or column name may be put into a statement: letters, digits, `_`, `$`, `-`; a table also `base.table`.
pub(super) fn is_sound(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-'))
}

/// The nearest of some names, for a message.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known.into_iter().min_by_key(|other| distance(&name.to_lowercase(), &other.to_lowercase()))
}

/// How many letters must be added, dropped or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_column() {
        assert_eq!(nearest("linkdid", CDR.iter().map(|column| column.ours)), Some("linkedid"));
    }

    #[test]
    fn names_that_could_end_a_quotation_are_refused() {
        for name in ["cdr`; DROP TABLE cdr", "a\"b", "", "a.b", "a b", "a'b", "a\0"] {
            assert!(!is_sound(name), "{name:?}");
        }
        for name in ["cdr", "cdr_2026", "AcctId", "звонки", "cdr-old"] {
            assert!(is_sound(name), "{name:?}");
        }
    }
}
