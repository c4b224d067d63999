//! CEL's `extra`: JSON that a narrow column may have cut in the middle.

use super::CelRow;

/// A text or number of the object, as text. What was cut off, `N/A` and empty values are none.
pub(super) fn field<'a>(extra: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = extra;
    while let Some(at) = rest.find(key) {
        let (before, after) = (&rest[..at], &rest[at + key.len()..]);
        if let Some(value) = before.ends_with('"').then(|| after.strip_prefix('"')).flatten() {
            return value_of(value.trim_start().strip_prefix(':')?.trim_start());
        }
        rest = after;
    }
    None
}

fn value_of(text: &str) -> Option<&str> {
    let value = match text.strip_prefix('"') {
        Some(text) => &text[..text.find('"')?],
        None => &text[..text.find([',', '}'])?],
    };
    let value = value.trim();
    (!value.is_empty() && value != "N/A").then_some(value)
}

/// Keys under which one channel's row names other channels of the same call.
const OTHER_CHANNELS: [&str; 5] = [
    "channel2_uniqueid",
    "transferee_channel_uniqueid",
    "transfer_target_channel_uniqueid",
    "pickup_channel_uniqueid",
    "local_two_uniqueid",
];

/// Uniqueids of other channels that this row ties to its own.
pub(super) fn other_channels(row: &CelRow) -> impl Iterator<Item = &str> {
    OTHER_CHANNELS.iter().filter_map(|key| field(&row.extra, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_from_whole_and_cut_json() {
        let extra = r#"{"bridge1_id":"b7e","channel2_uniqueid":"1795168653.1","hangupcause":16,"x":"N/A","cut":"79516"#;
        assert_eq!(field(extra, "channel2_uniqueid"), Some("1795168653.1"));
        assert_eq!(field(extra, "hangupcause"), Some("16"));
        assert_eq!(field(extra, "x"), None);
        assert_eq!(field(extra, "cut"), None);
        assert_eq!(field(extra, "bridge_id"), None);
        assert_eq!(field("", "bridge_id"), None);
    }
}
